"""The OpenAPI document: what the service says of itself."""

from __future__ import annotations

from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

import llmsynth

KEY_SCHEME = "key"


def description() -> OpenAPIConfig:
    """The document's settings; it is served as JSON and YAML, without a page from elsewhere."""
    return OpenAPIConfig(
        title="llmsynth",
        version=llmsynth.__version__,
        description="Learn a table, draw synthetic rows of it, and judge them. Errors are problem "
        "documents (RFC 9457); a POST with an Idempotency-Key acts once.",
        components=Components(
            security_schemes={KEY_SCHEME: SecurityScheme(type="http", scheme="bearer")}
        ),
        security=[{KEY_SCHEME: []}],
        render_plugins=[JsonRenderPlugin(path="/openapi.json"), YamlRenderPlugin()],
    )
