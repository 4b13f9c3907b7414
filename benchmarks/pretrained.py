"""A pretrained model on a CPU: clinical notes, and notes that agree with their row.

    llmsynth models pull smollm2-135m
    python benchmarks/pretrained.py notes [--minutes 20] [--rows 300] [--path joint]
    python benchmarks/pretrained.py agreement [--minutes 10] [--rows 200]

`notes`: MTS-Dialog's sections (header and text), four fifths learned, one fifth held out.
`agreement`: sick thyroid with a sentence made from each row's own cells. Prints one JSON line per
figure.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator, Sequence
from datetime import date

import machine
import numpy as np
import pandas as pd
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline

from llmsynth import Synthesizer, demo_tables
from llmsynth.models.precision import fastest_dtype
from llmsynth.models.pretrained import load_pretrained
from llmsynth.schema import CategoryColumn
from llmsynth.synthesizers.text_learner import TextLearner
from llmsynth.synthesizers.text_settings import TextSettings
from llmsynth.training.row_batches import micro_batches, padded
from llmsynth.training.tuning_settings import TuningSettings

HEADER, TEXT = "section_header", "section_text"
_SPAN_WORDS = 8
_RESAMPLES = 1000


def main() -> None:
    """Run one of the two, and print its figures."""
    options = _options()
    torch.set_num_threads(options.threads)
    _tell(date=date.today().isoformat(), **machine.describe(), **vars(options))
    {"notes": _notes, "agreement": _agreement}[options.what](options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["notes", "agreement"])
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--path", choices=["joint", "pretrained"], default="joint")
    parser.add_argument("--minutes", type=float, default=20.0, help="budget of the fit")
    parser.add_argument("--rows", type=int, default=300, help="rows drawn")
    parser.add_argument("--copy-guard", type=int, default=15, help="0 for none")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--held-out", type=int, default=150, help="rows the perplexity is told on")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--batch-rows", type=int, default=16, help="rows a step of the fit")
    parser.add_argument("--epochs", type=float, help="most passes of the fit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", help="CSV file for the synthetic rows")
    return parser.parse_args()


def _notes(options: argparse.Namespace) -> None:
    table = demo_tables.load("mts_dialog").select([HEADER, TEXT]).to_pandas()
    order = np.random.default_rng(options.seed).permutation(len(table))
    cut = len(table) * 4 // 5
    train, held_out = (
        table.iloc[order[part]].reset_index(drop=True) for part in (slice(cut), slice(cut, None))
    )
    synthesizer = _fitted(options, train, target=HEADER)
    rows = _drawn(options, synthesizer)
    for name, other in (("synthetic", rows), ("held_out", held_out)):
        _tell(labels=name, total_variation=_apart(train[HEADER], other[HEADER]))
    for name, other in (("synthetic", rows), ("held_out", held_out)):
        _tell(copied_8_grams=name, **_copy_rate(train[TEXT], other[TEXT]))
    for name, learned, asked in (
        ("real on real", train, held_out),
        (f"{len(rows)} real on real", train.head(len(rows)), held_out),
        ("synthetic on real (TSTR)", rows, held_out),
        ("real on synthetic (TRTS)", train, rows),
    ):
        _tell(label_from_text=name, **_label_scores(learned, asked))
    for figure in _perplexities(options, synthesizer, held_out.head(options.held_out)):
        _tell(**figure)


def _agreement(options: argparse.Namespace) -> None:
    columns = ["age", "sex", "on_thyroxine", "sick", "TSH", "TT4", "Class"]
    table = demo_tables.load("sick_thyroid").select(columns).to_pandas()
    table = table.dropna(subset=["age", "sex", "TSH"]).reset_index(drop=True)
    order = np.random.default_rng(options.seed).permutation(len(table))
    table = table.iloc[order[:1500]].reset_index(drop=True)
    table["note"] = [_sentence(row) for row in table.to_dict("records")]
    assert all(all(_agreements(row).values()) for row in table.to_dict("records"))
    rows = _drawn(options, _fitted(options, table, target="Class"))
    found = pd.DataFrame([_agreements(row) for row in rows.to_dict("records")])
    _tell(
        agreement=found.mean().round(4).to_dict(),
        all_agree=round(float(found.all(axis=1).mean()), 4),
    )
    for note in rows["note"].head(3):
        _tell(example=note)


def _sentence(row: dict[str, object]) -> str:
    sex = "woman" if row["sex"] == "F" else "man"
    treated = "takes thyroxine" if row["on_thyroxine"] == "t" else "takes no thyroxine"
    return f"This {_plain(row['age'])}-year-old {sex} {treated}; TSH is {_plain(row['TSH'])}."


def _plain(number: object) -> str:
    return f"{float(str(number)):g}"


def _agreements(row: dict[str, object]) -> dict[str, bool]:
    """Whether what a note says is what its row says, fact by fact."""
    note = str(row["note"])
    age = re.search(r"(\d+)-year-old", note)
    tsh = re.search(r"TSH is (\d+(?:\.\d+)?)", note)
    has_row = not any(pd.isna(row[name]) for name in ("age", "sex", "TSH"))
    return {
        "age": has_row and age is not None and float(age[1]) == float(str(row["age"])),
        "sex": has_row and (" woman " in note) == (row["sex"] == "F") and " man " in f"{note} man ",
        "thyroxine": ("takes no thyroxine" in note) == (row["on_thyroxine"] != "t"),
        "TSH": has_row and tsh is not None and _plain(tsh[1]) == _plain(row["TSH"]),
    }


def _synthesizer(options: argparse.Namespace, model: str, target: str) -> Synthesizer:
    text = TextSettings(
        path=options.path,
        copy_guard=options.copy_guard or None,
        tuning=TuningSettings(learning_rate=options.learning_rate, batch_rows=options.batch_rows),
    )
    return Synthesizer(
        model=model,
        target=target,
        text=text,
        max_minutes=options.minutes,
        max_epochs=options.epochs,
        seed=options.seed,
    )


def _fitted(options: argparse.Namespace, table: pd.DataFrame, target: str) -> Synthesizer:
    started = time.perf_counter(), time.process_time()
    synthesizer = _synthesizer(options, options.model, target).fit(table)
    training = synthesizer.training_
    _tell(
        rows_learned=len(table),
        fit_seconds=round(time.perf_counter() - started[0], 1),
        fit_cpu_seconds=round(time.process_time() - started[1], 1),
        steps=training.steps,
        epochs=round(training.epochs, 2),
        stopped=training.stopped,
        load=machine.describe()["load"],
        history=training.history,
    )
    return synthesizer


def _drawn(options: argparse.Namespace, synthesizer: Synthesizer) -> pd.DataFrame:
    started = time.perf_counter(), time.process_time()
    sample = synthesizer.sample(options.rows, seed=options.seed)
    report = sample.report
    _tell(
        asked=report.asked,
        parsed=report.rows,
        dropped=report.dropped,
        sample_seconds=round(time.perf_counter() - started[0], 1),
        sample_cpu_seconds=round(time.process_time() - started[1], 1),
        masked_mass_per_token=report.text_masked_mass,
        blocked_spans=report.blocked_spans,
        guarded_rows=report.guarded_rows,
        copied_rows=report.copied_rows,
    )
    rows = sample.to_pandas()
    if options.save:
        rows.to_csv(options.save, index=False)
    return rows


def _apart(real: pd.Series, other: pd.Series) -> float:
    """Total variation distance of two columns of labels."""
    shares = real.value_counts(normalize=True), other.value_counts(normalize=True)
    return round(float(shares[0].sub(shares[1], fill_value=0).abs().sum() / 2), 4)


def _copy_rate(train: Sequence[str], texts: Sequence[str]) -> dict[str, object]:
    """Share of the texts' 8-word spans that stand in the training texts; bootstrap interval."""
    known = {span for text in train for span in _spans(text)}
    counts = np.array(
        [(sum(s in known for s in spans), len(spans)) for spans in map(_spans, texts)]
    )
    counts = counts[counts[:, 1] > 0]
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(counts), size=(_RESAMPLES, len(counts)))
    sums = counts[drawn].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    rate = counts[:, 0].sum() / counts[:, 1].sum()
    return {
        "rate": round(float(rate), 4),
        "interval": [round(float(low), 4), round(float(high), 4)],
    }


def _spans(text: str) -> list[tuple[str, ...]]:
    words = re.findall(r"\w+", str(text).lower())
    return [tuple(words[at : at + _SPAN_WORDS]) for at in range(len(words) - _SPAN_WORDS + 1)]


def _label_scores(learned: pd.DataFrame, asked: pd.DataFrame) -> dict[str, float]:
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10, max_iter=1000)
    )
    model.fit(learned[TEXT], learned[HEADER])
    told = model.predict(asked[TEXT])
    return {
        "accuracy": round(float(accuracy_score(asked[HEADER], told)), 4),
        "macro_f1": round(
            float(f1_score(asked[HEADER], told, average="macro", zero_division=0)), 4
        ),
    }


def _perplexities(
    options: argparse.Namespace, synthesizer: Synthesizer, held_out: pd.DataFrame
) -> Iterator[dict[str, object]]:
    """Perplexity per token of held-out texts behind their header, un-tuned and tuned."""
    learner = synthesizer.learner_
    assert isinstance(learner, TextLearner)
    header = synthesizer.schema_.column(HEADER)
    assert isinstance(header, CategoryColumn)
    # Labels of fewer than five rows were not learned.
    held_out = held_out[held_out[HEADER].isin(header.categories)]
    base = load_pretrained(options.model, dtype=fastest_dtype())
    for name, model in (("untuned", base.model.eval()), ("tuned", learner.tuned.model.eval())):
        loss, tokens = _loss(learner, model, held_out)
        yield {
            "perplexity": name,
            "per_token": round(float(np.exp(loss / tokens)), 3),
            "tokens": tokens,
        }


@torch.inference_mode()
def _loss(learner: TextLearner, model: torch.nn.Module, rows: pd.DataFrame) -> tuple[float, int]:
    import pyarrow as pa

    tokens = learner.row_tokens
    names = tokens.language.schema.names
    text = names.index(TEXT)
    others = [index for index in range(len(names)) if index != text]
    cells = tokens.cells(pa.Table.from_pandas(rows[list(names)], preserve_index=False))
    learned = [
        tokens.row([*others, text], {i: cells[n][row] for i, n in enumerate(names)}, len(others))
        for row in range(len(rows))
    ]
    total, count = 0.0, 0
    for part in micro_batches(learned, 2048, packed=False):
        batch = padded(part, 1024, tokens.eos_token_id)
        logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
        chosen = logits[batch.predicts].float()
        total += float(torch.nn.functional.cross_entropy(chosen, batch.targets, reduction="sum"))
        count += len(batch.targets)
    return total, count


def _tell(**figures: object) -> None:
    print(json.dumps(figures, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
