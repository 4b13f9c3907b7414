"""Fits this project's synthesizer of groups with its default settings, and writes new groups."""

from __future__ import annotations

import torch
from contract import Stopwatch, write_timing
from group_contract import read_group_request
from run import installed_version

from llmsynth.relational.grouped import GroupedSynthesizer
from llmsynth.tables import read_table, write_table


def main() -> None:
    """Fit, then sample; static columns are detected."""
    request = read_group_request()
    table = read_table(request.train)
    watch = Stopwatch()
    synthesizer = GroupedSynthesizer(
        group_by=request.group_by,
        order_by=request.order_by,
        max_minutes=request.max_minutes,
        seed=request.seed,
    )
    with watch.stage("fit"):
        synthesizer.fit(table)
    with watch.stage("sample"):
        sample = synthesizer.sample(request.groups, seed=request.seed)
    write_table(sample.table, request.out, schema=sample.schema)
    assert synthesizer.rows_.synthesizer is not None
    trained = synthesizer.rows_.synthesizer.training_
    write_timing(
        request.timing,
        watch,
        version=installed_version(),
        threads=torch.get_num_threads(),
        settings={
            "max_minutes": request.max_minutes,
            "epochs": trained.epochs,
            "stopped": trained.stopped,
            "static": list(synthesizer.layout_.static),
        },
    )


if __name__ == "__main__":
    main()
