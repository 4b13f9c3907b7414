"""Whether every engine draws from one distribution: local, vLLM in process, vLLM over HTTP.

    python benchmarks/engine_parity.py --rows 5000 --results parity.jsonl

A small model of random weights writes rows of four columns of Adult. Each engine's rows are held
against the local engine's by chi-squared tests of homogeneity: one for each column, one for each
pair of columns, one for the number of tokens. Values that fewer than `LEAST` rows hold are pooled,
and the p-values are corrected by Holm's method. Two arms say what the test can see: the local
engine with another seed (no difference) and at temperature 0.9 (one that must be found).

Greedy rows behind `--greedy` different prompts are compared token for token.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import combinations
from pathlib import Path

import machine
from language_models import write_random_model
from scipy.stats import chi2_contingency
from transformers import AutoModelForCausalLM, AutoTokenizer
from vllm_server import serving

from llmsynth import demo_tables
from llmsynth.codec.row_language import RowLanguage
from llmsynth.codec.token_automaton import TokenAutomaton
from llmsynth.engines.endpoint_settings import EndpointSettings
from llmsynth.engines.engine import FinishedRow, RowEngine, RowRequest, SamplingSettings
from llmsynth.engines.local_engine import LocalEngine
from llmsynth.engines.openai_endpoint import OpenAIEndpoint
from llmsynth.engines.vllm_engine import VllmEngine
from llmsynth.engines.vllm_settings import VllmSettings
from llmsynth.schema import infer_schema

COLUMNS = ["age", "sex", "relationship", "income"]
LEAST = 20
"""Values that fewer rows than this hold, both engines together, are pooled."""


def main() -> None:
    """Draw, compare, and append one JSON line per engine to the results."""
    options = _options()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_random_model(folder, shape="tiny", spread=0.2)
        comparison = _Comparison(folder, options.rows, options.greedy)
        facts = {"date": date.today().isoformat(), **machine.describe(), "rows": options.rows}
        for figure in comparison.figures():
            line = json.dumps({**facts, **figure})
            print(line, flush=True)
            with options.results.open("a", encoding="utf-8") as handle:
                handle.write(line + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=5000, help="rows of each engine")
    parser.add_argument("--greedy", type=int, default=200, help="prompts of greedy rows")
    parser.add_argument("--results", type=Path, required=True)
    return parser.parse_args()


class _Comparison:
    """One model, and the rows that the local engine draws from it."""

    def __init__(self, folder: Path, num_rows: int, num_greedy: int) -> None:
        self._folder, self._num_rows = folder, num_rows
        self._language = RowLanguage(infer_schema(demo_tables.load("adult").select(COLUMNS)))
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._automaton = TokenAutomaton.compile(self._language.regex(), self._tokenizer)
        self._local = LocalEngine(AutoModelForCausalLM.from_pretrained(folder))
        self._prompts = [[number] for number in range(num_greedy)]
        self._own = self._rows(self._local, seed=1)
        self._own_greedy = self._greedy(self._local)

    def figures(self) -> Iterator[dict[str, object]]:
        """One comparison with the local engine after another."""
        yield self._figure("local, other seed", self._rows(self._local, seed=2))
        hot = self._rows(self._local, seed=3, temperature=0.9)
        yield self._figure("local, temperature 0.9", hot)
        for name, opened in (("vllm in process", self._in_process), ("vllm over http", self._http)):
            with opened() as engine:
                rows, greedy = self._rows(engine, seed=1), self._greedy(engine)
            equal = sum(a == b for a, b in zip(self._own_greedy, greedy, strict=True))
            same = f"{equal} of {len(greedy)}"
            yield {**self._figure(name, rows), "greedy_rows_equal": same}

    @contextmanager
    def _in_process(self) -> Iterator[RowEngine]:
        engine = VllmEngine(VllmSettings(model=self._folder, max_adapters=0))
        try:
            yield engine
        finally:
            engine.close()

    @contextmanager
    def _http(self) -> Iterator[RowEngine]:
        with serving(self._folder, rows_at_once=64) as url:
            engine = OpenAIEndpoint(EndpointSettings(base_url=url, rows_at_once=64))
            try:
                yield engine
            finally:
                engine.close()

    def _rows(self, engine: RowEngine, *, seed: int, temperature: float = 1) -> list[FinishedRow]:
        settings = SamplingSettings(seed=seed, temperature=temperature)
        return self._drawn(engine, [0], settings, self._num_rows)

    def _greedy(self, engine: RowEngine) -> list[tuple[int, ...]]:
        settings = SamplingSettings(seed=0, temperature=0)
        return [self._drawn(engine, p, settings, 1)[0].token_ids for p in self._prompts]

    def _drawn(
        self, engine: RowEngine, prompt: Sequence[int], settings: SamplingSettings, num_rows: int
    ) -> list[FinishedRow]:
        request = RowRequest(
            automaton=self._automaton,
            pattern=self._language.regex(),
            prefix_ids=[[]] * num_rows,
            prompt_ids=prompt,
            settings=settings,
        )
        return list(engine.rows(request))

    def _figure(self, name: str, rows: Sequence[FinishedRow]) -> dict[str, object]:
        whole = sum(row.is_whole for row in rows)
        own, other = self._facts(self._own), self._facts(rows)
        tests = {what: _p_value(own[what], other[what]) for what in own}
        worst = min(tests, key=lambda what: tests[what])
        return {
            "engine": name,
            "whole_rows": whole,
            "tests": len(tests),
            "smallest_p": float(f"{tests[worst]:.3g}"),
            "smallest_p_of": worst,
            "holm_p": float(f"{min(1.0, tests[worst] * len(tests)):.3g}"),
        }

    def _facts(self, rows: Sequence[FinishedRow]) -> dict[str, list[object]]:
        """What is compared, a list with an entry a row for each test."""
        cells = [self._language.parse(row.text) for row in rows]
        facts: dict[str, list[object]] = {name: [c[name] for c in cells] for name in COLUMNS}
        for first, second in combinations(COLUMNS, 2):
            facts[f"{first} x {second}"] = [(c[first], c[second]) for c in cells]
        return facts | {"number of tokens": [len(row.token_ids) for row in rows]}


def _p_value(first: Sequence[object], second: Sequence[object]) -> float:
    """The chi-squared test that two samples of values have one distribution."""
    counts = [Counter(first), Counter(second)]
    common = [v for v, n in (counts[0] + counts[1]).items() if n >= LEAST]
    table = [[count[value] for value in common] for count in counts]
    pooled = [sum(count.values()) - sum(row) for count, row in zip(counts, table, strict=True)]
    if sum(pooled) >= LEAST:
        table = [[*row, rest] for row, rest in zip(table, pooled, strict=True)]
    return float(chi2_contingency(table).pvalue) if len(table[0]) > 1 else 1.0


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
