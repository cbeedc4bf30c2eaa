"""A small OpenID Connect provider in a process of its own: ``python -m tests.web.portal.provider PORT``.

It lets everybody in. What a test adds to the address of its authorization endpoint decides what the ID token says:
``email``, ``sub`` (the address, unless it is given), and ``fault``, the one thing that is to be wrong with it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT, SECRET = "keymill", "a secret of the test"
KEY, FOREIGN = (RSAKey.generate_key(2048, {"kid": "one"}) for _ in range(2))
codes: dict[str, dict[str, str]] = {}


class Provider(BaseHTTPRequestHandler):
    """Discovery, keys, authorization and token endpoint."""

    def do_GET(self) -> None:
        """Discovery, keys, or a code for whoever asks."""
        address = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/.well-known/openid-configuration":
            self._json(
                {
                    "issuer": issuer,
                    "authorization_endpoint": f"{issuer}/authorize",
                    "token_endpoint": f"{issuer}/token",
                    "jwks_uri": f"{issuer}/keys",
                }
            )
        elif address.path == "/keys":
            self._json({"keys": [KEY.as_dict(private=False)]})
        else:
            code = secrets.token_hex(8)
            codes[code] = asked
            self.send_response(302)
            self.send_header(
                "Location", f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
            )
            self.end_headers()

    def do_POST(self) -> None:
        """An ID token for a code, once, for the client that has its secret and its verifier."""
        length = int(self.headers["Content-Length"])
        sent = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
        asked = codes.pop(sent.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(sent.get("code_verifier", "").encode()).digest())
        is_right = (
            asked is not None
            and (sent.get("client_id"), sent.get("client_secret")) == (CLIENT, SECRET)
            and sent.get("redirect_uri") == asked["redirect_uri"]
            and challenge.decode().rstrip("=") == asked["code_challenge"]
        )
        if not is_right or asked is None:
            self._json({"error": "invalid_grant"}, 400)
        else:
            self._json({"access_token": "x", "token_type": "Bearer", "id_token": id_token(asked)})

    def _json(self, found: dict[str, Any], status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *_: Any) -> None:
        """Nothing is logged."""


def id_token(asked: dict[str, str]) -> str:
    """What the provider says of somebody, with a fault where one is asked for."""
    fault, now = asked.get("fault", ""), int(time.time())
    claims: dict[str, Any] = {
        "iss": issuer, "aud": CLIENT, "sub": asked.get("sub", asked["email"].lower()),
        "iat": now, "exp": now + 300, "nonce": asked["nonce"],
        "email": asked["email"], "email_verified": True,
    }  # fmt: skip
    wrong: dict[str, dict[str, Any]] = {
        "issuer": {"iss": "http://elsewhere.example"}, "audience": {"aud": "another"}, "expired": {"exp": now - 3600},
        "nonce": {"nonce": "another"}, "unverified": {"email_verified": False}, "party": {"azp": "another"},
        "no e-mail": {"email": None}, "no subject": {"sub": None}, "long subject": {"sub": "x" * 256},
    }  # fmt: skip
    claims |= wrong.get(fault, {})
    if fault == "no nonce":
        del claims["nonce"]
    if fault == "shared secret":
        return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET), algorithms=["HS256"])
    if fault == "unsigned":
        parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
        return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."
    key = FOREIGN if fault == "foreign key" else KEY
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)


if __name__ == "__main__":
    issuer = f"http://127.0.0.1:{sys.argv[1]}"
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Provider).serve_forever()
