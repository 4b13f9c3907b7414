"""The ledger of a private fit in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmsynth.cli.record import Record, part


def ledger_lines(ledger: Record) -> Iterator[str]:
    """What was promised, what it cost, what is public, what is not covered."""
    spent, unit = part(ledger, "spent"), part(ledger, "unit")
    yield (
        f"Differential privacy for one {_unit(unit)}: epsilon {_number(spent, 'epsilon')} at delta "
        f"{_number(spent, 'delta')}."
    )
    yield (
        "Whoever sees this synthesizer, or any rows drawn from it, can tell whether that "
        f"{unit.get('is')} was in the table at most e^{_number(spent, 'epsilon')} times better "
        "than without, but for a chance of delta."
    )
    yield f"Asked for: epsilon {_number(part(ledger, 'asked'), 'epsilon')}."
    yield (
        f"Second accountant: epsilon {_number(spent, 'epsilon_by_second_accountant')}; Renyi bound "
        f"{_number(spent, 'epsilon_by_renyi_bound')}. ({spent.get('accountants')})"
    )
    yield f"Noise from {ledger.get('noise')}."
    yield ""
    yield "What each part would have spent alone (together they spend the total above):"
    parts = ledger.get("parts")
    for item in parts if isinstance(parts, list) else []:
        yield f"  {item['name']}: epsilon {item['epsilon_alone']:.3g}; {_mechanism(item)}"
    yield (
        f"  category sets and repeated numbers: delta {_number(ledger, 'delta_of_thresholding')} "
        "for the chance that a value of one unit alone comes out"
    )
    yield (
        f"Each unit's gradient was clipped to {_number(ledger, 'clipping_norm')}; "
        f"{_number(ledger, 'expected_units_per_step')} units took part in a step on average."
    )
    yield from _list("Public by declaration", ledger.get("public_by_declaration"))
    yield from _list("Left out, as too little could be released", ledger.get("left_out_columns"))
    yield from _list("Not covered", ledger.get("not_covered"))
    yield from attempt_lines(ledger)


def attempt_lines(ledger: Record) -> Iterator[str]:
    """What earlier fits in the same folder add to the total."""
    attempts = ledger.get("earlier_attempts_in_this_folder")
    if not isinstance(attempts, list) or not attempts:
        return
    own = float(str(part(ledger, "spent").get("epsilon")))
    total = own + sum(float(attempt["epsilon"]) for attempt in attempts)
    unfinished = sum(not attempt["finished"] for attempt in attempts)
    yield ""
    yield (
        f"WARNING: {len(attempts)} earlier private fits were started in this folder "
        f"({unfinished} never finished). Each spent as well: if they read the same table and "
        f"anything of them was seen, up to epsilon {total:.4g} is spent in all."
    )


def _unit(unit: Record) -> str:
    if unit.get("is") == "row":
        return "row"
    return (
        f"entity of {unit.get('entity_column')!r} (at most {unit.get('rows_per_unit')} rows of "
        "each were read)"
    )


def _mechanism(item: Record) -> str:
    noise = f"Gaussian noise of {_number(item, 'noise_multiplier')} times the sensitivity"
    if item["repetitions"] == 1 and item["sampling_rate"] == 1:
        return noise
    return (
        f"{noise}, {item['repetitions']} steps, each unit taking part with probability "
        f"{_number(item, 'sampling_rate')}"
    )


def _list(title: str, items: object) -> Iterator[str]:
    if isinstance(items, Sequence) and items:
        yield f"{title}:"
        yield from (f"  - {item}" for item in items)


def _number(record: Record, name: str) -> str:
    return f"{float(str(record.get(name))):.4g}"
