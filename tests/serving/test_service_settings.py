from __future__ import annotations

from pathlib import Path

import pytest
from llmsynth_serving.settings import ServiceSettings

from llmsynth.errors import SettingsError


def test_embedded_defaults_lie_in_the_home_folder(tmp_path: Path) -> None:
    settings = ServiceSettings(home=tmp_path)
    assert settings.database == f"sqlite:///{tmp_path}/service.db"
    assert settings.queue == f"sqlite:///{tmp_path}/queue.db"
    assert settings.storage == f"file://{tmp_path}/files"
    assert settings.host == "127.0.0.1"


def test_one_postgresql_address_serves_metadata_and_queue() -> None:
    settings = ServiceSettings(database_url="postgresql://db/llmsynth")
    assert settings.database == "postgresql+psycopg://db/llmsynth"
    assert settings.queue == "postgresql://db/llmsynth"


def test_environment_variables_are_read_in_their_types() -> None:
    settings = ServiceSettings.from_environment(
        {
            "LLMSYNTH_SERVE_PORT": "9000",
            "LLMSYNTH_SERVE_HOME": "/srv/x",
            "LLMSYNTH_SERVE_SECURE_COOKIES": "true",
            "LLMSYNTH_SERVE_POLL_SECONDS": "0.5",
            "PATH": "ignored",
        }
    )
    assert settings == ServiceSettings(
        port=9000, home=Path("/srv/x"), secure_cookies=True, poll_seconds=0.5
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "http"),
        ("PORT", "70000"),
        ("SECURE_COOKIES", "maybe"),
        ("LEASE_SECONDS", "1"),
        ("NO_SUCH_SETTING", "1"),
    ],
)
def test_a_wrong_variable_is_named(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"LLMSYNTH_SERVE_{name}"):
        ServiceSettings.from_environment({f"LLMSYNTH_SERVE_{name}": text})
