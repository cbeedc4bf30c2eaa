"""``/healthz`` and ``/readyz``: for whoever starts and watches the server."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import Response

from config.wiring import App
from jobs import readiness
from web.callers import opened

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """Whether the process is alive."""

    status: Literal["alive"]


class Readiness(BaseModel):
    """Whether the servers that work needs can be reached."""

    ready: bool
    database: bool
    store: bool
    broker: bool


@router.get("/healthz", operation_id="health")
async def health() -> Health:
    """Whether the server is alive: it answers, whatever else is away."""
    return Health(status="alive")


@router.get("/readyz", operation_id="readiness", responses={503: {"model": Readiness, "description": "Not ready"}})
def ready(app: Annotated[App, Depends(opened)], response: Response) -> Readiness:
    """Whether requests can be answered: database, store and broker are there. 503 where one is away."""
    found = readiness.check(app)
    is_ready = all(found.values())
    response.status_code = 200 if is_ready else 503
    return Readiness(ready=is_ready, **found)
