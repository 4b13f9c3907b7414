"""Forms as the orders that the API takes, so that the same limits hold for both."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from litestar import Response
from litestar.plugins.htmx import ClientRedirect
from litestar.response import Redirect
from sqlalchemy.exc import IntegrityError

from llmsynth.errors import LlmsynthError
from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.api.problems import status_of
from llmsynth_serving.database.records import Job
from llmsynth_serving.objects.refusals import ConflictError, RefusedInputError
from llmsynth_serving.pages.asking import Asked, caller_of, found_or_none

T = TypeVar("T")
Form = Mapping[str, Any]
ORDER_ID = "order_id"
_PLACE = re.compile(r"^(.*?)(?: - at `(.*)`)?$", re.DOTALL)
WHERE, QUOTA = "where:", "quota:"


def text(form: Form, name: str) -> str | None:
    """A field without the blanks around it; None where it is empty or not there."""
    value = form.get(name)
    return str(value[-1] if isinstance(value, list) else value or "").strip() or None


def many(form: Form, name: str) -> list[str]:
    """All values of a field that may be sent more than once, the empty ones left out."""
    value = form.get(name, [])
    return [str(part) for part in (value if isinstance(value, list) else [value]) if str(part)]


def lines(form: Form, name: str) -> list[str]:
    """The lines of a large field, the empty ones left out."""
    return [line.strip() for line in (text(form, name) or "").splitlines() if line.strip()]


def order(kind: type[T], form: Form, **more: Any) -> T:
    """A form as an order of the API.

    Args:
        more: fields that the form holds in another shape.

    Raises:
        RefusedInputError: the API would refuse it; the message names the field.
    """
    names = [name for name in kind.__dataclass_fields__ if name not in more]  # type: ignore[attr-defined]
    values = {name: value for name in names if (value := text(form, name)) is not None}
    return checked(kind, {**values, **more})


def checked(kind: type[T], values: Mapping[str, Any]) -> T:
    """Values as an order of the API; numbers may be texts.

    Raises:
        RefusedInputError: the API would refuse it.
    """
    try:
        return msgspec.convert(dict(values), kind, strict=False)
    except msgspec.ValidationError as error:
        found = _PLACE.match(str(error))
        assert found is not None
        place = (found[2] or "").removeprefix("$.").replace("_", " ")
        raise RefusedInputError(
            f"{place.capitalize()}: {found[1]}." if place else f"{found[1]}."
        ) from error


def shortest(given: Any) -> dict[str, Any]:
    """An order as the fields that differ from what they are when left out."""
    plain = msgspec.to_builtins(given)
    defaults = type(given).__dataclass_fields__
    return {name: value for name, value in plain.items() if value != _default(defaults[name])}


def _default(part: Any) -> Any:
    return part.default_factory() if callable(part.default_factory) else part.default


def conditions(form: Form) -> dict[str, str]:
    """Column to value, from fields called `where:COLUMN`."""
    return {
        name.removeprefix(WHERE): value
        for name in form
        if name.startswith(WHERE) and (value := text(form, name)) is not None
    }


def quotas(form: Form) -> dict[str, dict[str, float]]:
    """Shares of a column's values, from sliders called `quota:VALUE`, which may have any sum.

    Raises:
        RefusedInputError: a slider that is no number, or all of them at nothing.
    """
    column = text(form, "quota_column")
    if column is None:
        return {}
    try:
        weights = {n.removeprefix(QUOTA): float(form[n]) for n in form if n.startswith(QUOTA)}
    except (TypeError, ValueError) as error:
        raise RefusedInputError("Quotas: a slider has no number.") from error
    weights = {name: weight for name, weight in weights.items() if weight > 0}
    total = sum(weights.values())
    if not weights:
        raise RefusedInputError("Quotas: give at least one value a share.")
    return {column: {name: weight / total for name, weight in weights.items()}}


def ordered(request: Asked, form: Form, act: Callable[[Caller], Job]) -> Response[Any]:
    """Order a job and show it; a form that is sent twice orders once.

    Raises:
        LlmsynthError: what the act raises.
    """
    caller, order_id = caller_of(request), text(form, ORDER_ID) or ""
    if re.fullmatch(r"[0-9a-f]{32}", order_id):
        if found_or_none(request, Job, order_id):
            return go(request, f"/jobs/{order_id}")
        caller = replace(caller, order_id=order_id)
    try:
        job = act(caller)
    except IntegrityError as error:
        raise ConflictError("This form was sent already.", hint="Look at the jobs.") from error
    return go(request, f"/jobs/{job.id}")


def go(request: Asked, path: str) -> Response[Any]:
    """Send the browser to another page."""
    return ClientRedirect(redirect_to=path) if request.htmx else Redirect(path, status_code=303)


def attempted(
    act: Callable[[], Response[Any]], again: Callable[[LlmsynthError, int], Response[Any]]
) -> Response[Any]:
    """What an act answers, or the form once more where the request was wrong."""
    try:
        return act()
    except LlmsynthError as error:
        status = status_of(error)
        if status in (401, 403, 404) or status >= 500:
            raise
        return again(error, status)


def one_of(value: str | None, known: Sequence[str]) -> str | None:
    """The value where it is a known one."""
    return value if value in known else None


def percent(form: Form, name: str, usual: float | None = None) -> float:
    """A share, from a field in percent.

    Raises:
        RefusedInputError: it is none.
    """
    value = text(form, name)
    try:
        share = (float(value) if value is not None else float(usual or 0)) / 100
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise RefusedInputError(f"Give shares in percent, from 0 to 100, not {value!r}.")
    return share
