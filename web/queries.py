"""Parameters in the address: one that nobody knows, or that is given twice, is an order done wrongly."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastapi import FastAPI, Request

from jobs.refusals import Refused


def only_known(request: Request) -> None:
    """Refuse parameters that the OpenAPI document does not name, and repeated ones that are no lists."""
    known = _parameters(request.app, request.scope["route"].operation_id)
    for name, count in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in known:
            shown, names = name[:50], ", ".join(known)
            raise Refused(
                "unknown_parameter",
                f"There is no parameter {shown!r} here. Known are: {names or 'none'}.",
                f"Qui non esiste il parametro {shown!r}. Sono noti: {names or 'nessuno'}.",
            )
        if count > 1 and not known[name]:
            raise Refused(
                "repeated_parameter",
                f"The parameter {name} is given {count} times, and once is meant.",
                f"Il parametro {name} è indicato {count} volte, e se ne intende una.",
            )


def _parameters(server: FastAPI, operation_id: str) -> dict[str, bool]:
    """The query parameters of an operation, and whether each may be repeated."""
    if not hasattr(server.state, "parameters"):
        server.state.parameters = {
            operation["operationId"]: {
                one["name"]: _is_list(one["schema"]) for one in operation.get("parameters", ()) if one["in"] == "query"
            }
            for methods in server.openapi()["paths"].values()
            for operation in methods.values()
        }
    found: dict[str, bool] = server.state.parameters[operation_id]
    return found


def _is_list(schema: dict[str, Any]) -> bool:
    return any(one.get("type") == "array" for one in (schema, *schema.get("anyOf", ())))
