"""What a use did, as JSON-ready values: for files, for the service, for pages."""

from __future__ import annotations

from typing import Any

from llmsynth.uses.imputation import Imputed
from llmsynth.uses.rebalanced import Rebalanced


def rebalanced_record(found: Rebalanced) -> dict[str, Any]:
    """The account of each group, and each verdict with everything behind it."""
    verdicts = {verdict.group: verdict for verdict in found.verdicts}
    groups = []
    for account in found.groups:
        verdict = verdicts.get(account.group.label)
        groups.append(
            {
                **account.group.to_json(),
                "label": account.group.label,
                "real": account.real,
                "added": account.added,
                "short": account.short,
                "relabelled": account.relabelled,
                "redrawn": account.redrawn,
                "kept_cells": account.kept_cells,
                "copies_left_out": account.copies,
                "prior": account.prior,
                "share_reached": account.share,
                "verdict": None if verdict is None else verdict.verdict,
                "words": "Nothing was added." if verdict is None else verdict.words,
                "details": {} if verdict is None else dict(verdict.details),
            }
        )
    return {
        "verdict": found.verdict,
        "words": found.words,
        "train_rows": found.train.num_rows,
        "synthetic_rows": found.synthetic.num_rows,
        "test_rows": 0 if found.test is None else found.test.num_rows,
        "groups": groups,
    }


def imputed_record(found: Imputed) -> dict[str, Any]:
    """How many cells were filled and left, by column."""
    return {
        "draws": len(found.tables),
        "filled": dict(found.filled),
        "left": dict(found.left),
        "patterns": found.patterns,
        "broken_rows": found.broken_rows,
    }
