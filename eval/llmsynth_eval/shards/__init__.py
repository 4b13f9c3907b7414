"""Figures of tables that need not fit into memory: sums over shards, merged."""

from llmsynth_eval.shards.shard_judge import judge_shards
from llmsynth_eval.shards.sum_figures import SumFigures
from llmsynth_eval.shards.table_sums import Reference, TableSums

__all__ = ["Reference", "SumFigures", "TableSums", "judge_shards"]
