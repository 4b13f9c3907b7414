import math

import numpy as np
import pyarrow as pa
import pytest

from llmsynth.codec.row_language import RowLanguage
from llmsynth.privacy.drawn_rows import draw_rows
from llmsynth.privacy.noise_source import NoiseSource
from llmsynth.privacy.noisy_counts import NoisyCounts
from llmsynth.privacy.pair_counts import blank_tables, candidates, choose, measure_pairs
from llmsynth.privacy.token_marginals import measure_alone, measure_beside
from llmsynth.schema.columns import CategoryColumn, NumberColumn
from llmsynth.schema.table_schema import TableSchema

ROWS = 20_000


def language() -> RowLanguage:
    names = {name: tuple(f"{name}{i}" for i in range(4)) for name in "abcd"}
    categories = [CategoryColumn(name=n, categories=c) for n, c in names.items()]
    number = NumberColumn(name="n", storage="int64", minimum="0", maximum="99999")
    return RowLanguage(TableSchema(columns=(*categories, number)))


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    """b follows a, c follows b, d is a coin of its own, n lies below 1,000 on odd hundreds."""
    rng = np.random.default_rng(0)
    a = rng.integers(0, 4, ROWS)
    b = np.where(rng.random(ROWS) < 0.8, a, rng.integers(0, 4, ROWS))
    c = np.where(rng.random(ROWS) < 0.8, (b + 1) % 4, rng.integers(0, 4, ROWS))
    d = rng.integers(0, 4, ROWS)
    n = rng.choice([100, 300, 500], ROWS) + rng.integers(0, 100, ROWS)
    return language().encode(
        pa.table(
            {
                **{k: [f"{k}{i}" for i in v] for k, v in zip("abcd", (a, b, c, d), strict=True)},
                "n": pa.array(n.astype(np.int64)),
            }
        )
    )


def noisy(histograms, multiplier=1.0, source=None, most_rows=1):
    return NoisyCounts(
        num_histograms=histograms,
        noise_multiplier=multiplier,
        most_rows=most_rows,
        source=source or NoiseSource(insecure_seed=0),
    )


def learned(codes, root=None):
    own = language()
    marginals = measure_alone(codes, own, frozenset([6]), noisy(6), frozenset([5]))
    if root is not None:
        marginals = measure_beside(marginals, codes, root, ROWS, noisy(4))
    pairs = candidates(marginals)
    choice = choose(marginals, codes, pairs, ROWS, noisy(len(pairs)), 2.0)
    counts = noisy(len(choice.pairs))
    return marginals, choice, measure_pairs(marginals, codes, choice, ROWS, counts)


def dependence(rows, first, second):
    """Total variation between a pair of columns and the same columns if independent."""
    joint = np.bincount(rows[:, first] * 4 + rows[:, second], minlength=16).reshape(4, 4)
    joint = joint / len(rows)
    return np.abs(joint - joint.sum(1)[:, None] * joint.sum(0)[None, :]).sum() / 2


@pytest.mark.parametrize("root", [None, 3])
def test_columns_that_belong_together_are_found_and_drawn_together(codes, root):
    marginals, choice, tables = learned(codes, root)
    assert set(choice.pairs[:3]) == {(0, 1), (1, 2), (0, 2)}
    rows = draw_rows(marginals, tables, ROWS, np.random.default_rng(1))
    for pair in ((0, 1), (1, 2), (0, 2), (0, 3)):
        assert dependence(rows, *pair) == pytest.approx(dependence(codes, *pair), abs=0.03)


def test_a_pair_outside_the_tree_is_met_by_the_weights(codes):
    # d is made to equal a where b is 0: neither tree edge alone can say so.
    codes = codes.copy()
    codes[:, 3] = np.where((codes[:, 0] + codes[:, 1]) % 2 == 0, codes[:, 0], codes[:, 2])
    marginals, choice, tables = learned(codes)
    assert len(choice.pairs) > 3
    rows = draw_rows(marginals, tables, ROWS, np.random.default_rng(1))
    for pair in ((0, 3), (1, 3), (2, 3), (0, 2)):
        assert dependence(rows, *pair) == pytest.approx(dependence(codes, *pair), abs=0.04)


def test_one_row_moves_a_score_by_one_at_most(codes):
    class Silent(NoiseSource):
        def gaussian(self, size, scale):
            return np.zeros(size)

    class Kept(NoisyCounts):
        def sums(self, exact):
            seen.append(exact)
            return exact

    seen: list[np.ndarray] = []
    marginals, _, _ = learned(codes, 3)
    pairs = candidates(marginals)
    scores = Kept(
        num_histograms=len(pairs), noise_multiplier=1.0, most_rows=1, source=Silent(insecure_seed=0)
    )
    choose(marginals, codes, pairs, ROWS, scores, 2.0)
    for left_out in range(0, 2000, 97):
        choose(marginals, np.delete(codes, left_out, axis=0), pairs, ROWS, scores, 2.0)
        assert np.abs(seen[-1] - seen[0]).max() <= 1 + 1e-9
        assert np.linalg.norm(seen[-1] - seen[0]) <= math.sqrt(len(pairs)) + 1e-9


def test_columns_without_company_give_no_pair(codes):
    rng = np.random.default_rng(5)
    alone = codes.copy()
    for place in range(4):
        alone[:, place] = rng.integers(0, 4, ROWS)
    _, choice, tables = learned(alone)
    assert choice.pairs == ()
    assert tables.pairs == ()


def test_low_digits_are_learned_where_they_are_uneven_and_only_there(codes):
    marginals, _, _ = learned(codes)
    shares = marginals.shares[5]
    assert shares is not None
    assert shares[[1, 3, 5]].sum() > 0.98
    spread = codes.copy()
    spread[:, 5] = np.random.default_rng(2).integers(0, 10, ROWS)
    even = measure_alone(spread, language(), frozenset([6]), noisy(6), frozenset([5]))
    assert even.shares[5] is None
    rows = draw_rows(marginals, blank_tables(marginals, 8), 5000, np.random.default_rng(3))
    hundreds = np.bincount(rows[rows[:, 5] >= 0, 5], minlength=10) / 5000
    assert hundreds[[1, 3, 5]].min() > 0.25


def test_a_root_of_many_values_is_cut_into_few_classes(codes):
    marginals, _, tables = learned(codes, 4)
    assert len(marginals.root_shares) >= int(tables.classes.max()) + 1
    rows = draw_rows(marginals, tables, 1000, np.random.default_rng(0))
    assert rows.shape == (1000, codes.shape[1])
    assert (rows[:, :4] >= 0).all()
