"""The compact sampler draws exactly what the model and the grammar say, whoever shares a block."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import Tensor

from llmsynth.codec.column_code import SKIPPED
from llmsynth.codec.row_language import RowLanguage
from llmsynth.engines import compact_sampler
from llmsynth.engines.compact_sampler import CompactSampler, Sharpness
from llmsynth.engines.random_draws import uniforms
from llmsynth.models.compact import CompactModel, CompactShape
from llmsynth.schema.columns import BooleanColumn, CategoryColumn, DateColumn, NumberColumn
from llmsynth.schema.table_schema import TableSchema

_TO_DRAW = -2
_PLAIN = Sharpness()
_SMALL = TableSchema(
    columns=(
        CategoryColumn(name="a", categories=("x", "y", "z")),
        BooleanColumn(name="b"),
        CategoryColumn(name="c", categories=("k", "l", "m"), nullable=True),
    )
)
_RICH = TableSchema(
    columns=(
        CategoryColumn(name="kind", categories=("x", "y", "z")),
        NumberColumn(
            name="pay",
            storage="double",
            scale=2,
            minimum="-13.57",
            maximum="4321.09",
            nullable=True,
            frequent=("0", "100.5"),
        ),
        DateColumn(name="day", minimum="2019-11-17", maximum="2021-03-02", nullable=True),
        NumberColumn(name="count", minimum="17", maximum="3141", frequent=("20",)),
    )
)


def _model(language: RowLanguage, *, heads: int = 2) -> CompactModel:
    torch.manual_seed(0)
    shape = CompactShape(
        hidden_size=32,
        num_layers=2,
        num_heads=heads,
        intermediate_size=32,
        place_sizes=tuple(int(size) for size in language.place_sizes),
    )
    model = CompactModel(shape)
    with torch.no_grad():
        model.head.normal_(std=0.25)
        model.norm.uniform_(0.5, 1.5)
    return model.eval()


def _sampler(schema: TableSchema, **options: object) -> CompactSampler:
    language = RowLanguage(schema)
    return CompactSampler(_model(language), language, dtype=torch.float32, **options)  # type: ignore[arg-type]


def _drawn(
    sampler: CompactSampler,
    rows: int,
    order: Sequence[int],
    *,
    given: Tensor | None = None,
    sharpness: Sharpness = _PLAIN,
    first: int = 0,
) -> Tensor:
    numbers = torch.arange(first, first + rows)
    return sampler.draw(numbers, order, seed=5, given=given, sharpness=sharpness)


def _given(sampler: CompactSampler, columns: dict[int, Tensor], rows: int) -> Tensor:
    codes = torch.full((rows, len(sampler.language.place_sizes)), _TO_DRAW)
    for column, own in columns.items():
        places = sampler.language.places(column)
        codes[:, places.start : places.stop] = own
    return codes


@torch.no_grad()
def _shares(sampler: CompactSampler, order: Sequence[int], row: Sequence[int]) -> list[Tensor]:
    """The model's own distribution at every used place of a row, by one full forward pass."""
    model, language = sampler._model, sampler.language
    places = [p for column in order for p in language.places(column) if row[p] != SKIPPED]
    written = [model.place_starts[place] + row[place] for place in places]
    tokens = torch.tensor([[model.shape.begin_token, *written[:-1]]])
    states = model(tokens, torch.tensor([places]))[0]
    return [
        (states[at] @ model.place_head(place, torch.float32).t()).softmax(-1)
        for at, place in enumerate(places)
    ]


def _exact(sampler: CompactSampler, order: Sequence[int]) -> dict[tuple[int, ...], float]:
    """The probability of every row of a schema of single-place columns."""
    sizes = [int(size) for size in sampler.language.place_sizes]
    out = {}
    for row in product(*map(range, sizes)):
        shares = _shares(sampler, order, row)
        out[row] = float(np.prod([float(s[row[c]]) for s, c in zip(shares, order, strict=True)]))
    return out


def _chi_squared(drawn: Tensor, exact: dict[tuple[int, ...], float]) -> float:
    keys, counts = torch.unique(drawn, dim=0, return_counts=True)
    found = dict(zip(map(tuple, keys.tolist()), counts.tolist(), strict=True))
    rows = len(drawn)
    return sum((found.get(k, 0) - rows * p) ** 2 / (rows * p) for k, p in exact.items())


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_draws_follow_the_models_joint_distribution(order: tuple[int, ...]) -> None:
    sampler, rows = _sampler(_SMALL), 20_000
    exact = _exact(sampler, order)
    assert sum(exact.values()) == pytest.approx(1, abs=1e-5)
    assert len(exact) == 24
    drawn = _drawn(sampler, rows, order)
    assert _chi_squared(drawn, exact) < 49.7  # 0.999 quantile, 23 degrees of freedom


def test_draws_given_a_column_follow_the_conditional_distribution() -> None:
    sampler, rows = _sampler(_SMALL), 20_000
    given = _given(sampler, {1: torch.tensor([1])}, rows)
    drawn = _drawn(sampler, rows, (1, 0, 2), given=given)
    assert bool((drawn[:, 1] == 1).all())
    joint = {k: p for k, p in _exact(sampler, (1, 0, 2)).items() if k[1] == 1}
    exact = {k: p / sum(joint.values()) for k, p in joint.items()}
    assert len(exact) == 12
    assert _chi_squared(drawn, exact) < 31.3  # 0.999 quantile, 11 degrees of freedom


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0)])
@pytest.mark.parametrize("masked", [True, False])
def test_every_draw_inverts_the_full_forward_pass(order: tuple[int, ...], masked: bool) -> None:
    sampler = _sampler(_RICH, masked=masked)
    drawn = _drawn(sampler, 300, order)
    for number, row in enumerate(drawn.tolist()):
        shares = iter(_shares(sampler, order, row))
        for column in order:
            automaton, state = sampler.language.codes[column].automaton, 0
            for place in sampler.language.places(column):
                if row[place] == SKIPPED:
                    break
                weights = next(shares).double()
                if masked and state:
                    allowed = torch.from_numpy(automaton.allowed[state])
                    weights = weights * allowed[: len(weights)]
                upper = weights.cumsum(0) / weights.sum()
                draw = float(uniforms(5, torch.tensor([number]), place))
                token = row[place]
                lower = float(upper[token - 1]) if token else 0.0
                assert lower - 1e-5 <= draw <= float(upper[token]) + 1e-5
                state = int(automaton.following[state, token])


def test_given_rows_of_several_lengths_are_written_as_they_stand() -> None:
    sampler = _sampler(_RICH)
    pays = pa.array([0.0, None, 100.5, -13.57, 4321.09, 77.25] * 30, pa.float64())
    codes = torch.from_numpy(sampler.language.codes[1].encode(pays)).long()
    given = _given(sampler, {1: codes}, len(codes))
    drawn = _drawn(sampler, len(codes), (1, 0, 2, 3), given=given)
    table = sampler.language.decode(drawn.numpy().astype(np.int32))
    assert table["pay"].to_pylist() == pays.to_pylist()


def test_sharing_prefixes_changes_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {}
    for ends in (0.0, 0.6, 2.0):
        monkeypatch.setattr(compact_sampler, "_SHARING_ENDS", ends)
        rows[ends] = _drawn(_sampler(_RICH), 3000, (0, 2, 3, 1))
    assert torch.equal(rows[0.0], rows[0.6])
    assert torch.equal(rows[0.0], rows[2.0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_row_depends_on_seed_and_number_alone(dtype: torch.dtype) -> None:
    language = RowLanguage(_RICH)
    sampler = CompactSampler(_model(language), language, dtype=dtype)
    many = _drawn(sampler, 3000, (0, 1, 2, 3))
    for first, count in ((0, 100), (0, 1), (1234, 77), (2999, 1)):
        few = _drawn(sampler, count, (0, 1, 2, 3), first=first)
        same = (few == many[first : first + count]).all(1).float().mean().item()
        # In bf16 a product over fewer rows may round its last bit another way.
        assert same == 1.0 if dtype == torch.float32 else same >= 0.97


def test_another_seed_draws_other_rows() -> None:
    sampler = _sampler(_RICH)
    numbers = torch.arange(200)
    first, second = (sampler.draw(numbers, (0, 1, 2, 3), seed=seed) for seed in (1, 2))
    assert (first == second).all(1).float().mean() < 0.5


@pytest.mark.parametrize("temperature", [0.3, 1.0, 5.0])
def test_the_grammar_keeps_every_cell_within_its_bounds(temperature: float) -> None:
    sampler = _sampler(_RICH)
    drawn = _drawn(sampler, 4000, (0, 1, 2, 3), sharpness=Sharpness(temperature=temperature))
    table = sampler.language.decode(drawn.numpy().astype(np.int32))
    pays = np.array([p for p in table["pay"].to_pylist() if p is not None])
    assert pays.min() >= -13.57
    assert pays.max() <= 4321.09
    days = [str(day) for day in table["day"].to_pylist() if day is not None]
    assert min(days) >= "2019-11-17"
    assert max(days) <= "2021-03-02"
    assert set(table["kind"].to_pylist()) <= {"x", "y", "z"}
    sampler.language.encode(table)  # refuses what the schema cannot hold


def test_without_the_grammar_digits_may_leave_the_bounds() -> None:
    free = _sampler(_RICH, masked=False)
    drawn = _drawn(free, 4000, (0, 1, 2, 3))
    table = free.language.decode(drawn.numpy().astype(np.int32))
    counts = np.array(table["count"].to_pylist())
    assert ((counts < 17) | (counts > 3141)).any()


def test_the_grammars_removed_share_is_measured() -> None:
    masked, free = _sampler(_RICH), _sampler(_RICH, masked=False)
    _drawn(masked, 4000, (0, 1, 2, 3))
    _drawn(free, 4000, (0, 1, 2, 3))
    assert 0 < masked.mass.mean < 1
    assert free.mass.draws == 0


def test_a_temperature_near_nought_takes_the_likeliest_token() -> None:
    sampler = _sampler(_SMALL)
    drawn = _drawn(sampler, 500, (0, 1, 2), sharpness=Sharpness(temperature=1e-6))
    assert len(torch.unique(drawn, dim=0)) == 1
    row = drawn[0].tolist()
    for token, shares in zip(row, _shares(sampler, (0, 1, 2), row), strict=True):
        assert token == int(shares.argmax())


def test_a_temperature_divides_the_logits() -> None:
    sampler, rows = _sampler(_SMALL), 20_000
    drawn = _drawn(sampler, rows, (0, 1, 2), sharpness=Sharpness(temperature=2.0))
    shares = _shares(sampler, (0, 1, 2), [0, 0, 0])[0].sqrt()
    found = torch.bincount(drawn[:, 0], minlength=3) / rows
    assert float((found - shares / shares.sum()).abs().sum() / 2) < 0.012


def test_top_p_leaves_only_the_nucleus() -> None:
    sampler, rows = _sampler(_SMALL), 20_000
    shares = _shares(sampler, (2, 0, 1), [0, 0, 0])[0]
    ordered, tokens = shares.sort(descending=True)
    top_p = float(ordered[:2].sum()) - 0.01
    drawn = _drawn(sampler, rows, (2, 0, 1), sharpness=Sharpness(top_p=top_p))
    found = torch.bincount(drawn[:, 2], minlength=4) / rows
    assert set(drawn[:, 2].tolist()) == set(tokens[:2].tolist())
    assert float(found[tokens[0]]) == pytest.approx(
        float(ordered[0] / ordered[:2].sum()), abs=0.015
    )


def test_a_cell_mask_limits_the_first_place() -> None:
    sampler = _sampler(_SMALL)

    def only_l_where_a_is_x(column: int, codes: Tensor) -> Tensor | None:
        if column != 2:
            return None
        mask = torch.ones(len(codes), 4, dtype=torch.bool)
        mask[codes[:, 0] == 0] = torch.tensor([False, True, False, False])
        return mask

    drawn = sampler.draw(torch.arange(3000), (0, 1, 2), seed=5, cell_mask=only_l_where_a_is_x)
    where_x = drawn[:, 0] == 0
    assert bool((drawn[where_x, 2] == 1).all())
    assert len(drawn[~where_x, 2].unique()) == 4


@pytest.mark.parametrize("masked", [True, False])
def test_flat_places_are_drawn_evenly_and_never_shown_to_the_model(masked: bool) -> None:
    language = RowLanguage(_RICH)
    last = language.places(3)[-1]
    sampler = _sampler(_RICH, flat_places=frozenset({last}), masked=masked)
    with torch.no_grad():
        sampler._heads[last].fill_(torch.nan)
        sampler._embedding[sampler._model.shape.first_place_token + last].fill_(torch.nan)
    drawn = _drawn(sampler, 6000, (3, 0, 1, 2))
    lead = language.places(3)[0]
    inner = (drawn[:, lead] > 1) & (drawn[:, lead] < int(language.place_sizes[lead]) - 1)
    digits = drawn[inner, last]  # neither frequent nor next to a bound
    expected = len(digits) / 100
    chi_squared = float(((torch.bincount(digits, minlength=100) - expected) ** 2).sum() / expected)
    assert len(digits) > 3000
    assert chi_squared < 148.2  # 0.999 quantile, 99 degrees of freedom
    table = language.decode(drawn.numpy().astype(np.int32))
    assert masked == (max(table["count"].to_pylist()) <= 3141)
