"""Misspelt settings: every way in refuses what it does not know, and names it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from llmsynth_serving.settings import ServiceSettings

from llmsynth import MetadataSet, Synthesizer, TableSchema
from llmsynth.errors import SchemaError, SettingsError


def test_python_refuses_an_unknown_setting() -> None:
    with pytest.raises(TypeError, match="epsilom"):
        Synthesizer(epsilom=1.0)  # type: ignore[call-arg]


def test_python_refuses_a_setting_that_a_private_fit_would_not_heed() -> None:
    with pytest.raises(SettingsError, match="without epsilon"):
        Synthesizer(epsilon=1.0, personal={"name": "name"})


def test_a_schema_refuses_an_unknown_field_at_every_depth() -> None:
    with pytest.raises(SchemaError, match="constrains"):
        TableSchema.from_json('{"columns": [], "constrains": []}')
    with pytest.raises(SchemaError, match="minimun"):
        TableSchema.from_json('{"columns": [{"name": "a", "kind": "number", "minimun": "1"}]}')
    rule = '{"kind": "sum", "parts": ["a"], "total": "a", "exactly": true}'
    with pytest.raises(SchemaError, match="exactly"):
        TableSchema.from_json(
            f'{{"columns": [{{"name": "a", "kind": "number"}}], "constraints": [{rule}]}}'
        )


def test_a_set_of_tables_refuses_an_unknown_field() -> None:
    with pytest.raises(SchemaError, match="foreign_key'"):
        MetadataSet.from_json('{"tables": {}, "foreign_key": []}')


def test_the_environment_of_the_service_refuses_an_unknown_setting() -> None:
    with pytest.raises(SettingsError, match="LLMSYNTH_SERVE_PROT"):
        ServiceSettings.from_environment({"LLMSYNTH_SERVE_PROT": "1"})


def test_the_shell_refuses_an_unknown_option() -> None:
    asked = [sys.executable, "-m", "llmsynth", "fit", "x.csv", "--out", "o", "--epsilom", "1"]
    done = subprocess.run(asked, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--epsilom" in done.stderr
