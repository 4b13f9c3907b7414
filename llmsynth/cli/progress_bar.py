"""How progress looks: a bar on a terminal, a line per tenth elsewhere; always on stderr."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from llmsynth.progress import Step

_TENTHS = 10
_TOLD_FROM = 0.01
"""Share of a fit done from which the time left is more than a guess."""


class ProgressBar:
    """Shows the reports of one piece of work while the `with` block runs.

    Args:
        title: what is going on, in a word or two.

    Attributes:
        started_at: share already done at the first report; above 0 where work was taken up again.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        console = Console(stderr=True)
        self._is_shown = console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}"),
            console=console,
            disable=not self._is_shown,
            refresh_per_second=4,
        )
        self._console = console
        self._task = self._bar.add_task(title, total=1.0, detail="")
        self._next_tenth = 0
        self._stage = ""
        self.started_at: float | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def __call__(self, step: Step) -> None:
        """Show one report."""
        share = step.done / step.total if step.total else 1.0
        if self.started_at is None:
            self.started_at = share
        # Some uses fit first and then draw: the second part counts its own tenths.
        title = "sample" if (self._title, step.stage) == ("fit", "sample") else self._title
        if step.stage != self._stage:
            self._stage, self._next_tenth = step.stage, 0
        if self._is_shown:
            details = ", ".join(_details(step))
            self._bar.update(self._task, completed=share, detail=details, description=title)
        elif share * _TENTHS >= self._next_tenth:
            self._next_tenth = int(share * _TENTHS) + 1
            line = ", ".join([f"{title} {share:.0%}", *_details(step)])
            self._console.print(line, highlight=False, soft_wrap=True)


def _details(step: Step) -> list[str]:
    details = []
    # A set of tables tells the share that is written, out of 1.
    if step.stage == "sample" and step.total > 1:
        details.append(f"{step.done:,.0f} rows")
    if step.loss is not None:
        details.append(f"loss {step.loss:.3f}")
    is_told = step.stage == "sample" or step.done >= _TOLD_FROM * step.total
    if step.seconds_left is not None and is_told:
        details.append(f"{clock(step.seconds_left)} left")
    return details


def clock(seconds: float) -> str:
    """Minutes and seconds, `1:05`; with hours from one hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
