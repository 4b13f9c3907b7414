"""A page: its template filled with what it shows and with who looks at it."""

from __future__ import annotations

import hashlib
import math
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from litestar.plugins.htmx import HTMXTemplate
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig

import llmsynth
from llmsynth_serving.accounts.keys import Caller
from llmsynth_serving.accounts.web_sessions import form_token
from llmsynth_serving.database.records import Project, new_id, now
from llmsynth_serving.pages import drawings
from llmsynth_serving.pages.absent import Absent
from llmsynth_serving.pages.asking import Asked

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


def page(
    request: Asked,
    name: str,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **shown: Any,
) -> HTMXTemplate:
    """The template `name`, which may be a whole page or the part that a script asked for."""
    return HTMXTemplate(
        template_name=name,
        context={**_about(request), **shown},
        media_type="text/html; charset=utf-8",
        status_code=status,
        headers={"Content-Security-Policy": POLICY, "Vary": "HX-Request", **(headers or {})},
    )


def part(request: Asked, name: str, **shown: Any) -> str:
    """The template `name` as text, for a page that is open already."""
    engine = request.app.template_engine
    assert engine is not None
    template = engine.get_template(name)
    return str(template.render(request=request, **_about(request), **shown))


def templates() -> TemplateConfig[JinjaTemplateEngine]:
    """The engine that fills the templates; a name that is missing is an error."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=Absent,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "bytes": in_bytes,
        "count": in_count,
        "moment": in_moment,
        "ago": ago,
        "seconds": in_seconds,
        "share": in_share,
        "number": in_number,
    }
    environment.globals |= {
        "draw": drawings,
        "new_id": new_id,
        "version": llmsynth.__version__,
        "assets": _fingerprint(),
    }
    return TemplateConfig(engine=JinjaTemplateEngine.from_environment(environment))


def in_bytes(size: float) -> str:
    """A size in the unit that fits it."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError


def in_count(number: float) -> str:
    """A whole number with its thousands apart."""
    return f"{number:,.0f}".replace(",", "\u202f")


def in_moment(moment: datetime | None) -> str:
    """A moment in UTC, to the minute."""
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""


def ago(moment: datetime) -> str:
    """How long ago it was."""
    passed = (now() - moment).total_seconds()
    return "just now" if passed < 10 else f"{in_seconds(passed)} ago"


def in_seconds(seconds: float | None) -> str:
    """A duration in the one or two units that matter."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"


def in_share(share: float) -> str:
    """A share in percent, small ones not as nothing."""
    percent = 100 * share
    if 0 < percent < 0.1:
        return "<0.1%"
    return f"{percent:.0f}%" if percent in (0, 100) else f"{percent:.1f}%"


def in_number(number: float | None) -> str:
    """A measured number, as many digits as a reader compares."""
    if number is None or not math.isfinite(number):
        return "\u2013"
    return f"{number:,.0f}" if abs(number) >= 10_000 else f"{number:.4g}"


def _about(request: Asked) -> dict[str, Any]:
    """What every template knows: who looks at it, and from where."""
    caller = request.user if isinstance(request.user, Caller) else None
    return {
        "who": caller,
        "project": _project(request, caller) if caller else None,
        "form_token": form_token(request.auth) if request.auth else "",
        "path": request.url.path,
    }


def _project(request: Asked, caller: Caller) -> str:
    with request.app.state.service.database.reading() as session:
        project = session.get(Project, caller.project_id)
    return project.name if project else ""


def _fingerprint() -> str:
    """Changes with the static files, so that browsers may keep them for good."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
