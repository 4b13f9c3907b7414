"""Do synthetic rows of a rare class help a learner find it in untouched real rows?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from llmsynth.errors import SettingsError
from llmsynth.schema.table_schema import TableSchema
from llmsynth_eval.coded_table import encode
from llmsynth_eval.details import DetailTable
from llmsynth_eval.figure import Interval
from llmsynth_eval.input_tables import (
    Table,
    as_frame,
    check_same_columns,
    plan_columns,
    with_numbers,
)
from llmsynth_eval.metric import Comparison
from llmsynth_eval.utility.arm_results import ArmResult, Trial
from llmsynth_eval.utility.learners import TITLES, LearnerName
from llmsynth_eval.utility.rare_rows import RareRows, rare_rows
from llmsynth_eval.utility.rebalancing import (
    NEEDS_IMBALANCED_LEARN,
    Arm,
    RareTask,
    has_imbalanced_learn,
)
from llmsynth_eval.utility.task import TargetTasks, Task, target_tasks

Amount = float | Literal["balance"]
AMOUNTS: tuple[Amount, ...] = (1.0, "balance")
NUM_SEEDS = 5
FEWEST_TEST_ROWS = 10
AugmentationVerdict = Literal["gain", "no gain detected", "harm"]


@dataclass(frozen=True, kw_only=True)
class LearnerVerdict:
    """What the comparison says of one learner."""

    learner: LearnerName
    verdict: AugmentationVerdict
    amount: int
    """Synthetic rows added in the comparison that decided."""
    rival: str
    """The simple way that came nearest to it, or doing nothing for a harm."""
    difference: float
    """AUPRC with synthetic rows less that of the rival."""
    interval: Interval
    """Of the difference: 95% after Bonferroni's correction for the amounts."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Whether synthetic rows of a rare class helped, against every simpler way."""

    minority: str
    verdict: AugmentationVerdict
    """Of the first learner."""
    words: str
    difference: float
    interval: Interval
    learners: tuple[LearnerVerdict, ...]
    rows: tuple[ArmResult, ...]
    """Every learner and arm."""
    rare_rows: RareRows
    num_train: int
    num_rare: int
    num_test_rare: int
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """All of it as JSON."""
        return json.dumps(asdict(self), indent=1, allow_nan=False) + "\n"

    def table(self) -> DetailTable:
        """The arms as a table to show."""
        return DetailTable(
            name="augmentation",
            title=f"Ways to find more of {self.minority}",
            columns=("Learner and way", *ArmResult.HEADINGS),
            rows=tuple(row.cells() for row in self.rows),
            meaning="All are taught by train and asked test rows at their own class shares. AUPRC "
            "decides: it needs no threshold. F1 calls a row at .5 (threshold tuning: at the best "
            "of train's folds); the Brier score is after the class shares were put right.",
        )


def augmentation_benefit(
    train: Table,
    test: Table,
    synthetic: Table,
    *,
    target: str,
    minority: str | None = None,
    amounts: Sequence[Amount] = AMOUNTS,
    learners: Sequence[LearnerName] = ("boosting", "linear"),
    num_seeds: int = NUM_SEEDS,
    numeric: Sequence[str] | None = None,
    schema: TableSchema | None = None,
    seed: int = 0,
) -> Augmentation:
    """Compare adding synthetic rows of a rare class with every simpler way to treat it.

    Split before anything is fitted: the synthesizer may have seen `train` only, and `test` keeps
    the class shares of life. The arms are: nothing, class weights, threshold tuning, random
    oversampling by as many rows, SMOTE-NC, ADASYN, and the synthetic rows. "gain" means that at
    some amount the synthetic rows' AUPRC lies above that of every simple way; "harm" that at
    every amount it lies below that of doing nothing. Intervals are a paired bootstrap of the test
    rows, shared by all arms, with the variance over the seeds (of learner, draws and chosen
    rows) added; the train table is taken as given.

    Source of the protocol: Elor and Averbuch-Elor (2022), arXiv:2201.08528; van den Goorbergh
    et al. (2022), JAMIA 29, 1525-1534.

    Args:
        synthetic: rows of the rare class; others in it are passed over.
        minority: the rare class; default the one with fewest train rows.
        amounts: rows to add, as multiples of the rare class's train rows, or `balance`.
        learners: the first one gives the verdict.
        num_seeds: how often each arm is taught, 2 or more.

    Raises:
        TableError: tables that are empty or differ in their columns.
        SettingsError: a target or class that cannot be used, or fewer than ten test rows of it.
    """
    given = {"train": train, "synthetic": synthetic, "holdout": test}
    frames = {
        role: with_numbers(as_frame(table, role=role), schema) for role, table in given.items()
    }
    check_same_columns(frames)
    plan = plan_columns(frames["train"], numeric=numeric, schema=schema)
    if target not in plan.names:
        raise SettingsError(
            f"The target {target!r} is not a judged column; there are "
            f"{', '.join(map(repr, plan.names))}."
        )
    tables = encode(frames, plan)
    comparison = Comparison(
        train=tables["train"],
        synthetic=tables["synthetic"],
        holdout=tables["holdout"],
        target=target,
        seed=seed,
    )
    return benefit(
        comparison, minority=minority, amounts=amounts, learners=learners, num_seeds=num_seeds
    )


def benefit(
    comparison: Comparison,
    *,
    minority: str | None = None,
    amounts: Sequence[Amount] = AMOUNTS,
    learners: Sequence[LearnerName] = ("boosting", "linear"),
    num_seeds: int = NUM_SEEDS,
) -> Augmentation:
    """The same for tables under shared codes, the holdout being the test table."""
    _check(amounts, learners, num_seeds)
    tasks = target_tasks(comparison)
    if isinstance(tasks, str):
        raise SettingsError(f"The benefit of added rows cannot be measured: {tasks}")
    label, name = _rare_class(tasks, minority)
    task, test, notes = _rare_task(tasks, label, name)
    arms, more = _arms(task, amounts)
    trial = Trial(task=task, test=test, num_seeds=num_seeds, seed=comparison.seed)
    verdicts, rows = [], []
    for learner in learners:
        scored = trial.score(learner, arms)
        verdicts.append(_verdict(learner, scored.differences))
        rows += scored.rows
        notes += [note for note in scored.notes if note not in notes]
    first = verdicts[0]
    return Augmentation(
        minority=name,
        verdict=first.verdict,
        words=_words(first, task, name),
        difference=first.difference,
        interval=first.interval,
        learners=tuple(verdicts),
        rows=tuple(rows),
        rare_rows=rare_rows(task, test, seed=comparison.seed),
        num_train=task.train.num_rows,
        num_rare=task.num_rare,
        num_test_rare=int(test.target.sum()),
        notes=(*notes, *more),
    )


def _check(amounts: Sequence[Amount], learners: Sequence[LearnerName], num_seeds: int) -> None:
    multiples = [amount for amount in amounts if not isinstance(amount, str)]
    named = [str(amount) for amount in amounts if isinstance(amount, str)]
    is_wrong = any(not 0 < amount < float("inf") for amount in multiples)
    if not amounts or is_wrong or set(named) - {"balance"}:
        raise SettingsError(f"Amounts are multiples above 0 or 'balance', got {list(amounts)}.")
    unknown = [name for name in learners if name not in TITLES]
    if not learners or unknown:
        raise SettingsError(f"Learners are {', '.join(TITLES)}, got {list(learners)}.")
    if num_seeds < 2:
        raise SettingsError(f"num_seeds must be 2 or more, got {num_seeds}.")


def _rare_class(tasks: TargetTasks, minority: str | None) -> tuple[float, str]:
    if tasks.is_number:
        raise SettingsError(
            f"The target {tasks.target.name!r} is a number; a rare class needs a category.",
            hint="Leave the column out of `numeric` to read it as categories.",
        )
    sizes = {label: int((tasks.train.target == label).sum()) for label in tasks.labels}
    texts = {tasks.label_text(label): label for label, size in sizes.items() if size}
    if minority is None:
        minority = min(texts, key=lambda text: sizes[texts[text]])
    if minority not in texts:
        raise SettingsError(
            f"The target {tasks.target.name!r} has no class {minority!r} in train; there are "
            f"{', '.join(map(repr, texts))}."
        )
    return texts[minority], minority


def _rare_task(tasks: TargetTasks, label: float, name: str) -> tuple[RareTask, Task, list[str]]:
    chosen = tasks.synthetic.target == label
    if not chosen.any():
        raise SettingsError(f"The synthetic table holds no row of the class {name!r}.")
    train, test = (
        Task(features=task.features, target=(task.target == label).astype(np.float64))
        for task in (tasks.train, tasks.holdout)
    )
    for role, task in (("train", train), ("test", test)):
        if task.target.all():
            raise SettingsError(f"Every {role} row is of the class {name!r}.")
    if test.target.sum() < FEWEST_TEST_ROWS:
        raise SettingsError(
            f"The test table needs {FEWEST_TEST_ROWS} rows of the class {name!r}, it has "
            f"{int(test.target.sum())}."
        )
    notes = []
    if not chosen.all():
        notes.append(f"{int((~chosen).sum()):,} synthetic rows of other classes were passed over.")
    rare = RareTask(columns=tasks.columns, train=train, synthetic=tasks.synthetic.features[chosen])
    return rare, test, notes


def _arms(task: RareTask, amounts: Sequence[Amount]) -> tuple[list[Arm], list[str]]:
    gap = task.train.num_rows - 2 * task.num_rare
    wanted = {gap if a == "balance" else round(a * task.num_rare) for a in amounts}
    counts = sorted({min(count, len(task.synthetic)) for count in wanted if count > 0})
    notes = []
    if max(wanted) > len(task.synthetic):
        notes.append(
            f"{max(wanted):,} synthetic rows were asked for, the table has {len(task.synthetic):,}."
        )
    if not counts:
        raise SettingsError("The class is no minority: there are no rows to add to balance it.")
    arms = [Arm(kind="nothing"), Arm(kind="class weights"), Arm(kind="threshold tuning")]
    arms += [Arm(kind="random oversampling", num_added=count) for count in counts]
    if gap > 0 and has_imbalanced_learn():
        arms += [Arm(kind=kind, num_added=gap) for kind in NEEDS_IMBALANCED_LEARN]
    elif gap > 0:
        notes.append("SMOTE-NC and ADASYN need the package imbalanced-learn; they are left out.")
    arms += [Arm(kind="synthetic rows", num_added=count) for count in counts]
    return arms, notes


def _verdict(
    learner: LearnerName, differences: dict[int, dict[str, tuple[float, Interval]]]
) -> LearnerVerdict:
    """Decide from each amount's differences to each rival: IUT over rivals, then the amounts."""
    nearest = {
        amount: min(rivals, key=lambda rival: rivals[rival][1][0])
        for amount, rivals in differences.items()
    }
    best = max(nearest, key=lambda amount: differences[amount][nearest[amount]][1][0])
    rival = nearest[best]
    difference, interval = differences[best][rival]
    verdict: AugmentationVerdict = "gain" if interval[0] > 0 else "no gain detected"
    if all(rivals["nothing"][1][1] < 0 for rivals in differences.values()):
        verdict, rival = "harm", "nothing"
        best = max(differences, key=lambda amount: differences[amount]["nothing"][1][1])
        difference, interval = differences[best]["nothing"]
    return LearnerVerdict(
        learner=learner,
        verdict=verdict,
        amount=best,
        rival=rival,
        difference=difference,
        interval=interval,
    )


def _words(found: LearnerVerdict, task: RareTask, name: str) -> str:
    rows = f"{found.amount:,} synthetic rows of {name} beside {task.num_rare:,} real ones"
    shown = (
        f"AUPRC {found.difference:+.3f} against {found.rival}, interval "
        f"{found.interval[0]:+.3f} to {found.interval[1]:+.3f}, {TITLES[found.learner]}"
    )
    if found.verdict == "gain":
        return f"Gain: {rows} help to find the class more than any simpler way does ({shown})."
    if found.verdict == "harm":
        return f"Harm: {rows} make the class harder to find than doing nothing does ({shown})."
    return f"No gain over {found.rival}: {rows} are not shown to beat it ({shown})."
