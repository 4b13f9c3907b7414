"""Fits this project's synthesizer with its default settings, and draws rows.

`--preset 4`: under differential privacy at epsilon 4, the table's values declared in the schema of
`benchmarks/public_schemas`; `--preset 4-released`: nothing declared, so that they are released;
`--preset 4-unformatted`: without the stage in which the model learns rows drawn from noisy counts.
`--preset smollm2-135m`: this pretrained model instead of the compact one.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from contract import Request, Stopwatch, read_request, write_timing

from llmsynth import Synthesizer
from llmsynth.schema import TableSchema
from llmsynth.tables import read_table, write_table

SCHEMAS = Path(__file__).resolve().parents[2] / "public_schemas"


def settings_of(request: Request) -> dict[str, object]:
    """The settings that the request names; all others keep their defaults."""
    given = {
        "target": request.target,
        "max_minutes": request.max_minutes,
        "max_epochs": request.epochs,
    }
    named = {name: value for name, value in given.items() if value is not None}
    if request.preset is None:
        return named
    if not request.preset[0].isdigit():
        return {**named, "model": request.preset}
    epsilon, _, how = request.preset.partition("-")
    schema = None
    if how != "released":
        schema = TableSchema.read(SCHEMAS / f"{request.train.parent.name}.json")
    return {**named, "epsilon": float(epsilon), "delta": 1e-5, "schema": schema}


def installed_version() -> str:
    """Version of the installed distribution, or `checkout` where it only lies on the path."""
    try:
        return f"llmsynth {version('llmsynth')}"
    except PackageNotFoundError:
        return "llmsynth checkout"


def main() -> None:
    """Fit, then sample; a stopwatch of the synthesizer's own is not used."""
    request = read_request()
    table = read_table(request.train)
    settings = settings_of(request)
    watch = Stopwatch()
    synthesizer = Synthesizer(seed=request.seed, **settings)
    if (request.preset or "").endswith("-unformatted") and synthesizer.privacy is not None:
        synthesizer.privacy = replace(synthesizer.privacy, format_stage=False)
    with watch.stage("fit"):
        synthesizer.fit(table)
    with watch.stage("sample"):
        sample = synthesizer.sample(request.rows, seed=request.seed)
    write_table(sample.table, request.out, schema=synthesizer.schema_)
    write_timing(
        request.timing,
        watch,
        version=installed_version(),
        threads=torch.get_num_threads(),
        settings={name: value for name, value in settings.items() if name != "schema"},
    )


if __name__ == "__main__":
    main()
