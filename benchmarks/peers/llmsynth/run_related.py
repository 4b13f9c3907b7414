"""Fits this project's synthesizer of related tables with its default settings, and writes a set."""

from __future__ import annotations

import torch
from contract import Stopwatch, write_timing
from group_contract import read_related_request
from run import installed_version

from llmsynth.relational.related import RelatedSynthesizer
from llmsynth.schema.metadata_set import MetadataSet
from llmsynth.tables import write_table


def main() -> None:
    """Fit, then sample at scale 1."""
    request = read_related_request()
    metadata = MetadataSet.read(request.metadata)
    folder = request.metadata.parent
    watch = Stopwatch()
    synthesizer = RelatedSynthesizer(metadata, max_minutes=request.max_minutes, seed=request.seed)
    with watch.stage("fit"):
        synthesizer.fit({name: folder / str(t.file) for name, t in metadata.tables.items()})
    with watch.stage("sample"):
        sample = synthesizer.sample(seed=request.seed)
    for name, table in sample.tables.items():
        write_table(table, request.out / f"{name}.csv", schema=sample.schemas[name])
    write_timing(
        request.timing,
        watch,
        version=installed_version(),
        threads=torch.get_num_threads(),
        settings={"max_minutes": request.max_minutes, "matched": sample.report.matched},
    )


if __name__ == "__main__":
    main()
