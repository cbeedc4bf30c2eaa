"""What anyone needs to verify license keys: the public keys, and the list of licenses that ended."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response, StreamingResponse

from config.wiring import App
from jobs import keys, revocations
from jobs.refusals import Refused
from storage.objects import MissingObject
from web.callers import opened

router = APIRouter(prefix="/.well-known", tags=["keys"])
MINUTES_5 = {"Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*"}
KEY_SET = "application/jwk-set+json"


_KEYS = {"type": "object", "properties": {"keys": {"type": "array", "items": {"type": "object"}}}, "required": ["keys"]}


@router.get(
    "/jwks.json",
    operation_id="public_keys",
    response_class=Response,
    responses={200: {"description": "A JWK set", "content": {KEY_SET: {"schema": _KEYS}}}},
)
def key_set(app: Annotated[App, Depends(opened)]) -> Response:
    """The public keys as a JWK set (RFC 7517), oldest to newest."""
    return Response(keys.public_key_set(app.engine), media_type=KEY_SET, headers=MINUTES_5)


@router.get(
    "/revocations.jwt",
    operation_id="revocation_list",
    response_class=StreamingResponse,
    responses={200: {"description": "A signed list", "content": {revocations.MEDIA_TYPE: {}}}},
)
def revocation_list(app: Annotated[App, Depends(opened)]) -> StreamingResponse:
    """The signed list of licenses that were revoked or replaced. 404 as long as none was published."""
    try:
        size = app.store.size(revocations.NAME)
    except MissingObject as missing:
        raise Refused(
            "no_list",
            "No revocation list was published yet. The vendor publishes one with: keymill keys revocations",
            "Nessun elenco di revoche è stato ancora pubblicato. Il fornitore ne pubblica uno con: "
            "keymill keys revocations",
        ) from missing
    return StreamingResponse(
        app.store.get(revocations.NAME),
        media_type=revocations.MEDIA_TYPE,
        headers=MINUTES_5 | {"Content-Length": str(size)},
    )
