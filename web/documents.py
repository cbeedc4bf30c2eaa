"""The OpenAPI document: what FastAPI finds, and the form of problems."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from web.problems import Problem


def install(server: FastAPI) -> None:
    """Let the application publish a document that knows problems."""

    def document() -> dict[str, Any]:
        if server.openapi_schema is None:
            found = get_openapi(
                title=server.title,
                version=server.version,
                summary=server.summary,
                routes=server.routes,
                tags=server.openapi_tags,
                servers=[{"url": server.state.keymill.settings.public_url.rstrip("/")}],
            )
            schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas = found.setdefault("components", {}).setdefault("schemas", {})
            schemas |= schema.pop("$defs", {}) | {"Problem": schema}
            server.openapi_schema = found
        return server.openapi_schema

    server.openapi = document  # type: ignore[method-assign]
