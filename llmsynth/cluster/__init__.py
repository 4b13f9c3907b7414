"""Work that outgrows one process: tables drawn shard by shard, here or on a Ray cluster."""

from llmsynth.cluster.ray_settings import RaySettings
from llmsynth.cluster.sharded_sample import sample_shards

__all__ = ["RaySettings", "sample_shards"]
