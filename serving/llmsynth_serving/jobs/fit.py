"""A fit: a stored table becomes a stored synthesizer."""

from __future__ import annotations

import json
import shutil
from typing import Any

from llmsynth.bundle.owner import SUFFIX, OwnerFolder
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.synthesizer import Synthesizer
from llmsynth.synthesizers.text_settings import TextSettings
from llmsynth_serving.jobs.context import JobContext
from llmsynth_serving.jobs.ray_work import fit_launcher


def fit(context: JobContext) -> dict[str, Any]:
    """Learn the table `table_id` with the settings of the order, going on from a checkpoint.

    Returns:
        `synthesizer`: path, bytes and provenance of the bundle in storage.
    """
    settings = dict(context.spec["settings"])
    is_public = settings.pop("schema_is_public", False) or settings.get("epsilon") is None
    with context.table() as (table, path):
        # An inferred schema tells of the rows: a private fit takes it only where it is public.
        schema = TableSchema.from_json(json.dumps(table.schema)) if is_public else None
        launcher = fit_launcher(
            context.settings, rows=table.num_rows, is_private=settings.get("epsilon") is not None
        )
        processes = 1 if launcher is None else context.settings.ray_workers
        synthesizer = Synthesizer(schema=schema, text=TextSettings(processes=processes), **settings)
        synthesizer.fit(
            path,
            checkpoint_dir=context.work / "checkpoint",
            progress=context.progress,
            launcher=launcher,
        )
    folder = context.work / f"bundle-{context.attempt}"
    synthesizer.save(folder)
    where = f"synthesizers/{context.spec['synthesizer_id']}/{context.attempt}"
    owner = OwnerFolder.of(folder)
    if owner.exists:
        # First: a bundle that is there has its guard. No download includes it.
        context.storage.put_folder(owner.path, f"{where}{SUFFIX}")
        shutil.rmtree(owner.path)
    num_bytes = context.storage.put_folder(folder, where)
    shutil.rmtree(folder)
    return {
        "synthesizer": {
            "path": where,
            "num_bytes": num_bytes,
            "provenance": synthesizer.provenance_,
        }
    }
