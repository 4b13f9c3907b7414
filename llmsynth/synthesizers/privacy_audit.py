"""Audits a private fit from within: canaries planted by fair coins, one fit, two attacks.

The scores tell how likely each canary seems to have been planted. What they prove about epsilon is
for the one-run bound of Steinke, Nasr & Jagielski (2023, arXiv 2305.08846) to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from llmsynth.codec.column_code import SKIPPED, Tokens
from llmsynth.engines.compact_sampler import CompactSampler
from llmsynth.errors import SettingsError
from llmsynth.generation.conditions import Conditions
from llmsynth.generation.generator import Generator, SamplingSettings
from llmsynth.privacy.noise_source import NoiseSource
from llmsynth.privacy.settings import PrivacySettings
from llmsynth.progress import Progress, silent
from llmsynth.schema.table_schema import TableSchema
from llmsynth.synthesizers.preparation import usual_order
from llmsynth.synthesizers.private_codes import encode_leniently
from llmsynth.synthesizers.private_learning import PrivateFit, learn_privately
from llmsynth.synthesizers.private_sizes import PrivateSizes
from llmsynth.training.loss import place_losses
from llmsynth.training.sequences import Shuffler

_ORDERS = 4
_FEWEST_CANARIES = 10
_NEAREST = 5

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class AuditScores:
    """How likely each canary seems to have been planted, and whether it was.

    white_box: log-likelihood under the fitted model less that under a reference; float64 (m,).
    synthetic_only: nearness to rows drawn from the model less that to rows of the reference.
    """

    planted: npt.NDArray[np.bool_]
    white_box: Scores
    synthetic_only: Scores
    epsilon: float
    delta: float


def audit_scores(
    table: pa.Table,
    schema: TableSchema | None,
    settings: PrivacySettings,
    *,
    target: str | None,
    num_canaries: int,
    sizes: Callable[[PrivateSizes], PrivateSizes] | None = None,
    source: NoiseSource | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> AuditScores:
    """Plant canaries, fit, and attack; the reference is a fit of the table without any of them.

    Args:
        source: of the noise of the fit that is attacked; broken noise can be given.
        seed: of everything but the noise: which rows the canaries are, and who is planted.

    Raises:
        SettingsError: fewer than 10 canaries.
    """
    if num_canaries < _FEWEST_CANARIES:
        raise SettingsError(
            f"An audit needs at least {_FEWEST_CANARIES} canaries, got {num_canaries}."
        )
    generator = np.random.default_rng(seed)
    canaries = _canaries(table, num_canaries, settings.entity, generator)
    planted = generator.random(num_canaries) < 0.5

    def fitted(rows: pa.Table, noise: NoiseSource | None) -> _Attacked:
        fit = learn_privately(
            rows,
            schema,
            settings,
            target=target,
            drop_text=True,
            seed=seed,
            sizes=sizes,
            source=noise,
            progress=progress,
        )
        return _Attacked(fit, target, seed)

    attacked = fitted(pa.concat_tables([table, canaries.filter(pa.array(planted))]), source)
    reference = fitted(table, None)
    rows = max(table.num_rows, 1000)
    return AuditScores(
        planted=planted,
        white_box=attacked.likelihoods(canaries) - reference.likelihoods(canaries),
        synthetic_only=attacked.nearness(canaries, rows) - reference.nearness(canaries, rows),
        epsilon=attacked.fit.ledger.spent().epsilon,
        delta=attacked.fit.ledger.delta,
    )


def _canaries(
    table: pa.Table, count: int, entity: str | None, generator: np.random.Generator
) -> pa.Table:
    """Rows of which each cell is real and none of the company it keeps: unlikely, and in domain."""
    columns = [
        pa.nulls(count, cells.type)
        if name == entity
        else cells.combine_chunks().take(pa.array(generator.integers(0, table.num_rows, count)))
        for name, cells in zip(table.column_names, table.itercolumns(), strict=True)
    ]
    return pa.table(columns, schema=table.schema)


class _Attacked:
    """A fitted model as an attacker sees it."""

    def __init__(self, fit: PrivateFit, target: str | None, seed: int) -> None:
        self.fit, self._seed = fit, seed
        self._order = usual_order(fit.language, target)

    def _codes(self, rows: pa.Table) -> Tokens:
        language = self.fit.language
        rows = rows.select(list(language.schema.names))
        codes = encode_leniently(rows, language, np.arange(rows.num_rows))
        codes[:, sorted(self.fit.flat)] = SKIPPED
        return codes

    @torch.no_grad()
    def likelihoods(self, rows: pa.Table) -> Scores:
        """Log-likelihood of each row in nats, the mean over some column orders."""
        model, language = self.fit.model, self.fit.language
        shuffler = Shuffler(
            model.shape.place_sizes,
            torch.from_numpy(language.place_columns),
            model.shape.begin_token,
            usual_order=torch.tensor(self._order),
            none_given_share=0.5,
            token_starts=model.shape.token_starts,
        )
        generator = torch.Generator().manual_seed(self._seed)
        codes = torch.from_numpy(self._codes(rows)).long()
        out = np.zeros(len(codes))
        for row in range(len(codes)):
            repeated = codes[row : row + 1].expand(_ORDERS, -1)
            batch = shuffler(repeated, generator)
            losses = place_losses(model, batch, repeated, dtype=torch.float32)
            out[row] = -float(torch.stack(losses).sum()) / _ORDERS
        return out

    def nearness(self, rows: pa.Table, num_drawn: int) -> Scores:
        """Mean share of equal tokens with the nearest few drawn rows; float64 (rows,)."""
        language = self.fit.language
        sampler = CompactSampler(
            self.fit.model, language, flat_places=self.fit.flat, dtype=torch.float32
        )
        settings = SamplingSettings(seed=self._seed)
        drawn = Generator(sampler, self._order, settings, Conditions(language))
        synthetic = self._codes(pa.concat_tables(list(drawn.chunks(num_drawn))))
        codes = self._codes(rows)
        out = np.zeros(len(codes))
        for row, own in enumerate(codes):
            equal = ((synthetic == own) & (own != SKIPPED)).sum(1)
            out[row] = float(np.sort(equal)[-_NEAREST:].mean()) / max((own != SKIPPED).sum(), 1)
        return out
