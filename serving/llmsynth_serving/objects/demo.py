"""A real table for whoever wants to see the service work before trusting it with one."""

from __future__ import annotations

import pyarrow.parquet as pq

from llmsynth import demo_tables
from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.database.records import Table
from llmsynth_serving.objects.tables import arriving_file, take_in
from llmsynth_serving.service import Service

NAME, ROWS = "adult", 8_000
"""The table of the library, and how many of its rows either part gets."""


def take_in_demo(service: Service, caller: Caller) -> tuple[Table, Table]:
    """Adult as two tables: rows to learn from, and others to judge with.

    Raises:
        QuotaError: the key's storage is used up.
    """
    whole = demo_tables.load(NAME)
    made = []
    for part, first in (("train", 0), ("holdout", ROWS)):
        with arriving_file(service) as path:
            pq.write_table(whole.slice(first, ROWS), path)
            made.append(take_in(service, caller, path, name=f"{NAME} {part}"))
    return made[0], made[1]
