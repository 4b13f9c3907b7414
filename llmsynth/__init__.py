"""The names a user needs; each is loaded on first use, so `import llmsynth` stays light."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from llmsynth.threads import prepare_threads

if TYPE_CHECKING:
    from llmsynth import demo_tables
    from llmsynth.cluster import RaySettings, sample_shards
    from llmsynth.errors import LlmsynthError
    from llmsynth.personal_data.replacement import pseudonymize
    from llmsynth.relational.grouped import GroupedSynthesizer
    from llmsynth.relational.related import RelatedSynthesizer
    from llmsynth.schema import TableSchema, infer_schema
    from llmsynth.schema.metadata_set import MetadataSet
    from llmsynth.synthesizers import Synthesizer
    from llmsynth.synthesizers.prompted import PromptedSynthesizer
    from llmsynth.synthesizers.prompted_settings import PromptSettings
    from llmsynth.tables import read_table, write_table
    from llmsynth.uses.augmentation import augment
    from llmsynth.uses.imputation import impute
    from llmsynth.uses.rebalancing import rebalance
    from llmsynth.uses.replacement import replace

__version__ = "0.1.0"

# Before torch: OpenMP reads how its threads wait but once.
prepare_threads()

__all__ = [
    "GroupedSynthesizer",
    "LlmsynthError",
    "MetadataSet",
    "PromptSettings",
    "PromptedSynthesizer",
    "RaySettings",
    "RelatedSynthesizer",
    "Synthesizer",
    "TableSchema",
    "__version__",
    "augment",
    "demo_tables",
    "impute",
    "infer_schema",
    "pseudonymize",
    "read_table",
    "rebalance",
    "replace",
    "sample_shards",
    "write_table",
]

_HOMES = {
    "GroupedSynthesizer": "llmsynth.relational.grouped",
    "LlmsynthError": "llmsynth.errors",
    "MetadataSet": "llmsynth.schema.metadata_set",
    "PromptSettings": "llmsynth.synthesizers.prompted_settings",
    "PromptedSynthesizer": "llmsynth.synthesizers.prompted",
    "RaySettings": "llmsynth.cluster",
    "RelatedSynthesizer": "llmsynth.relational.related",
    "Synthesizer": "llmsynth.synthesizers",
    "TableSchema": "llmsynth.schema",
    "augment": "llmsynth.uses.augmentation",
    "impute": "llmsynth.uses.imputation",
    "infer_schema": "llmsynth.schema",
    "pseudonymize": "llmsynth.personal_data.replacement",
    "read_table": "llmsynth.tables",
    "rebalance": "llmsynth.uses.rebalancing",
    "replace": "llmsynth.uses.replacement",
    "sample_shards": "llmsynth.cluster",
    "write_table": "llmsynth.tables",
}

if not TYPE_CHECKING:  # a type checker that saw this would accept any misspelt name

    def __getattr__(name: str) -> object:
        """Load a public name from its home on first use (PEP 562)."""
        if name == "demo_tables":
            return import_module("llmsynth.demo_tables")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
