"""The cache reads what a causal attention over all positions would read."""

from __future__ import annotations

import torch
from torch import Tensor

from llmsynth.engines.compact_sampler import block_rows
from llmsynth.engines.key_value_cache import KeyValueCache
from llmsynth.models.compact import CompactShape

_NODES, _HIDDEN, _HEADS = 5, 8, 2


def _attended(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """One query against (slots, hidden) keys and values, in the plain way."""
    out = []
    for head in range(_HEADS):
        part = slice(head * _HIDDEN // _HEADS, (head + 1) * _HIDDEN // _HEADS)
        scores = keys[:, part] @ query[part] * (_HIDDEN / _HEADS) ** -0.5
        out.append(scores.softmax(0) @ values[:, part])
    return torch.cat(out)


def _slots(count: int, nodes: int = _NODES) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(count, 3, nodes, _HIDDEN, generator=generator)


def _cache() -> KeyValueCache:
    return KeyValueCache(1, 8, _HIDDEN, torch.float32)


def test_a_lone_position_reads_its_own_value() -> None:
    cache, (query, key, value) = _cache(), _slots(1)[0]
    cache.open_slot(None)
    torch.testing.assert_close(cache.attend(0, query, key, value, heads=_HEADS), value)


def test_each_position_reads_all_before_it() -> None:
    cache, slots = _cache(), _slots(4)
    for at in range(4):
        cache.open_slot(None)
        found = cache.attend(0, *slots[at], heads=_HEADS)
        for node in range(_NODES):
            expected = _attended(
                slots[at, 0, node], slots[: at + 1, 1, node], slots[: at + 1, 2, node]
            )
            torch.testing.assert_close(found[node], expected)


def test_a_position_that_a_node_skipped_is_not_read() -> None:
    cache, slots = _cache(), _slots(3)
    active = torch.tensor([True, False, True, True, False])
    for at, flags in enumerate((None, active, None)):
        cache.open_slot(flags)
        found = cache.attend(0, *slots[at], heads=_HEADS)
    for node in range(_NODES):
        read = [0, 1, 2] if active[node] else [0, 2]
        expected = _attended(slots[2, 0, node], slots[read, 1, node], slots[read, 2, node])
        torch.testing.assert_close(found[node], expected)


def test_chosen_nodes_read_as_they_would_among_all() -> None:
    slots = _slots(3)
    active = torch.tensor([False, True, False, True, False])
    chosen = active.nonzero()[:, 0]
    whole, few = _cache(), _cache()
    for cache in (whole, few):
        cache.open_slot(None)
        cache.attend(0, *slots[0], heads=_HEADS)
        cache.open_slot(active)
    among_all = whole.attend(0, *slots[1], heads=_HEADS)
    alone = few.attend(0, *slots[1][:, chosen], heads=_HEADS, chosen=chosen, nodes=_NODES)
    torch.testing.assert_close(alone, among_all[chosen])
    for cache in (whole, few):
        cache.open_slot(None)
    after_all = whole.attend(0, *slots[2], heads=_HEADS)
    torch.testing.assert_close(few.attend(0, *slots[2], heads=_HEADS), after_all)


def test_selected_nodes_carry_their_past_and_what_they_skipped() -> None:
    cache, slots = _cache(), _slots(2)
    active = torch.tensor([True, True, False, True, True])
    cache.open_slot(None)
    cache.attend(0, *slots[0], heads=_HEADS)
    cache.open_slot(active)
    cache.attend(0, *slots[1], heads=_HEADS)
    parents = torch.tensor([2, 2, 0, 4, 1, 1, 3])
    cache.select(parents)
    last = _slots(1, nodes=7)[0]
    cache.open_slot(None)
    found = cache.attend(0, *last, heads=_HEADS)
    for node, parent in enumerate(parents.tolist()):
        read = [0, 1] if active[parent] else [0]
        keys = torch.cat([slots[read, 1, parent], last[1, node : node + 1]])
        values = torch.cat([slots[read, 2, parent], last[2, node : node + 1]])
        torch.testing.assert_close(found[node], _attended(last[0, node], keys, values))


def test_a_block_never_holds_more_rows_than_its_cache_allows() -> None:
    narrow = CompactShape(hidden_size=32, num_layers=2, place_sizes=(3,) * 10)
    wide = CompactShape(hidden_size=192, num_layers=4, place_sizes=(3,) * 500)
    assert block_rows(narrow) > block_rows(wide) >= 256
