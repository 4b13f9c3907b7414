"""All pages of the service as one router, and the files that they load."""

from __future__ import annotations

from litestar import Router
from litestar.datastructures import CacheControlHeader
from litestar.plugins.htmx import HTMXRequest
from litestar.static_files import create_static_files_router

from llmsynth_serving.accounts.authentication import PAGE
from llmsynth_serving.pages.administration import AuditPages, KeyPages
from llmsynth_serving.pages.comparison import ComparisonPages
from llmsynth_serving.pages.evaluation import EvaluationPages
from llmsynth_serving.pages.failures import HANDLERS
from llmsynth_serving.pages.few_shot import FewShotPages
from llmsynth_serving.pages.fitting import FittingPages
from llmsynth_serving.pages.jobs import JobPages
from llmsynth_serving.pages.manual import ManualPages
from llmsynth_serving.pages.overview import OverviewPages
from llmsynth_serving.pages.own_forms import own_form
from llmsynth_serving.pages.rendering import STATIC
from llmsynth_serving.pages.reports import ReportPages
from llmsynth_serving.pages.sampling import SamplingPages
from llmsynth_serving.pages.schemas import SchemaPages
from llmsynth_serving.pages.sign_in import SignInPages
from llmsynth_serving.pages.synthesizers import SynthesizerPages
from llmsynth_serving.pages.tables import TablePages
from llmsynth_serving.pages.uses import ImputePages, RebalancePages

YEAR_SECONDS = 365 * 86400
CONTROLLERS = (
    SignInPages,
    OverviewPages,
    TablePages,
    SchemaPages,
    FittingPages,
    RebalancePages,
    ImputePages,
    FewShotPages,
    SynthesizerPages,
    SamplingPages,
    EvaluationPages,
    ReportPages,
    ComparisonPages,
    JobPages,
    KeyPages,
    AuditPages,
    ManualPages,
)


def pages() -> list[Router]:
    """The routers to add to the application."""
    site = Router(
        path="/",
        route_handlers=list(CONTROLLERS),
        guards=[own_form],
        exception_handlers=HANDLERS,
        request_class=HTMXRequest,
        include_in_schema=False,
        opt={PAGE: True},
    )
    # Their address changes with what they hold.
    keep = CacheControlHeader(max_age=YEAR_SECONDS, public=True, immutable=True)
    files = create_static_files_router(
        path="/static", directories=[STATIC], cache_control=keep, opt={"open": True}
    )
    return [site, files]
