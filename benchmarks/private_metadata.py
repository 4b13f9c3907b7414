"""How many categories held by one person come out under differential privacy, ours and theirs.

    python benchmarks/private_metadata.py

One column of 15 holds 800 common cells and 200 singletons. 200 releases at epsilon 1 (delta 1e-5):
this project's, and the rule of TabularARGN (`dp_non_rare`, run in its own environment) at the share
of epsilon it gives a column.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from llmsynth.privacy.accounting import gaussian_noise
from llmsynth.privacy.metadata import MetadataBudget, release_schema
from llmsynth.privacy.noise_source import NoiseSource
from llmsynth.privacy.unit_sampler import every_row
from llmsynth.schema.columns import CategoryColumn
from llmsynth.schema.table_schema import TableSchema

COLUMNS, ROWS, SINGLETONS, RELEASES = 15, 1000, 200, 200
EPSILON, DELTA = 1.0, 1e-5
PEER = Path(__file__).parent / "peers" / "tabularargn" / ".venv" / "bin" / "python"
THEIRS = f"""
import json
from mostlyai.engine._common import dp_non_rare
found = []
for _ in range({RELEASES}):
    counts = {{"common": {ROWS - SINGLETONS}, **{{f"s{{i}}": 1 for i in range({SINGLETONS})}}}}
    kept, _ = dp_non_rare(counts, {EPSILON} / ({COLUMNS} + 1), threshold=5)
    found.append(sum(name != "common" for name in kept))
print(json.dumps(found))
"""


def main() -> None:
    """Print both."""
    report("llmsynth", ours())
    if not PEER.exists():
        sys.exit("Skipped TabularARGN: python benchmarks/peers/setup_peer.py tabularargn")
    run = subprocess.run([PEER, "-c", THEIRS], capture_output=True, text=True, check=True)
    report("TabularARGN", json.loads(run.stdout.splitlines()[-1]))


def ours() -> list[int]:
    """Singletons in each of our releases."""
    texts = ["common"] * (ROWS - SINGLETONS) + [f"s{i}" for i in range(SINGLETONS)]
    others = np.array(["x", "y"])[np.arange(ROWS) % 2].tolist()
    columns = {f"c{i}": others for i in range(COLUMNS - 1)} | {"who": texts}
    table = pa.table(columns)
    schema = TableSchema(columns=tuple(CategoryColumn(name=name) for name in columns))
    budget = MetadataBudget(
        noise_multiplier=gaussian_noise(EPSILON, 0.9 * DELTA), key_delta=0.1 * DELTA
    )
    found = []
    for _ in range(RELEASES):
        released = release_schema(
            table,
            schema,
            every_row(ROWS),
            budget,
            NoiseSource(),
            kinds_known=True,
            target=None,
        )
        names = released.schema.names
        column = released.schema.column("who") if "who" in names else None
        kept = column.categories if isinstance(column, CategoryColumn) else ()
        found.append(sum(text != "common" for text in kept))
    return found


def report(name: str, found: list[int]) -> None:
    """One line: singletons a release."""
    print(
        f"{name}: {np.mean(found):.2f} of {SINGLETONS} singletons a release, "
        f"most {max(found)}, over {len(found)} releases",
        flush=True,
    )


if __name__ == "__main__":
    main()
