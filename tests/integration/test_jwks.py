"""Callers' tokens where an identity provider signs them, against a real key server."""

import base64
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from runbook.access.authenticators import Authenticators, CallerTokenAuthenticator
from runbook.access.tokens import CallerTokens
from runbook.errors import AuthenticationError, IdentityProviderUnavailableError
from runbook.settings import Settings

ALGORITHMS = {
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


def _part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class KeyServer:
    def __init__(self):
        self.keys = {}
        self.fetches = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.fetches += 1
                body = json.dumps({"keys": [outer.public(kid) for kid in outer.keys]}).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/keys"
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    def public(self, kid):
        key, algorithm = self.keys[kid]
        handler = jwt.algorithms.get_default_algorithms()[algorithm]
        return json.loads(handler.to_jwk(key.public_key())) | {"kid": kid, "use": "sig"}

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server():
    server = KeyServer()
    yield server
    if server.thread.is_alive():
        server.stop()


def authenticator(server, algorithm="RS256"):
    settings = Settings.load({"JWT_ALGORITHM": algorithm, "JWT_JWKS_URL": server.url})
    return Authenticators(
        CallerTokenAuthenticator(CallerTokens(settings), settings.role_permissions)
    )


def token(server, kid, algorithm="RS256", **header):
    claims = {"sub": "ann", "iss": "dev-idp", "aud": "dev-api", "exp": int(time.time()) + 60}
    key = server.keys[kid][0] if kid in server.keys else ALGORITHMS[algorithm]()
    return "Bearer " + jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid, **header})


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_providers_key_is_accepted(server, algorithm):
    server.keys["one"] = (ALGORITHMS[algorithm](), algorithm)
    accepted = authenticator(server, algorithm)

    assert accepted.authenticate(token(server, "one", algorithm), None).subject == "ann"


def test_a_rotated_key_is_fetched_after_the_cooldown(server, monkeypatch):
    server.keys["one"] = (ALGORITHMS["RS256"](), "RS256")
    accepted = authenticator(server)
    accepted.authenticate(token(server, "one"), None)
    server.keys = {"two": (ALGORITHMS["RS256"](), "RS256")}
    later = time.monotonic() + 31
    monkeypatch.setattr(time, "monotonic", lambda: later)

    assert accepted.authenticate(token(server, "two"), None).subject == "ann"


def test_a_flood_of_unknown_keys_costs_one_fetch(server):
    server.keys["one"] = (ALGORITHMS["RS256"](), "RS256")
    accepted = authenticator(server)
    accepted.authenticate(token(server, "one"), None)
    key = ALGORITHMS["RS256"]()
    server.keys["other"] = (key, "RS256")

    for number in range(50):
        with pytest.raises(AuthenticationError):
            claims = {"sub": "ann", "iss": "dev-idp", "aud": "dev-api", "exp": time.time() + 60}
            header = {"kid": f"random-{number}"}
            made = jwt.encode(claims, key, algorithm="RS256", headers=header)
            accepted.authenticate(f"Bearer {made}", None)
    assert server.fetches == 1


def test_with_the_provider_down_known_keys_go_on_and_unknown_ones_are_503(server, monkeypatch):
    server.keys["one"] = (ALGORITHMS["RS256"](), "RS256")
    accepted = authenticator(server)
    known = token(server, "one")
    accepted.authenticate(known, None)
    server.stop()

    assert accepted.authenticate(known, None).subject == "ann"
    later = time.monotonic() + 31
    monkeypatch.setattr(time, "monotonic", lambda: later)
    with pytest.raises(IdentityProviderUnavailableError):
        accepted.authenticate(token(server, "unknown"), None)


def test_a_key_url_in_the_token_is_never_asked(server):
    server.keys["one"] = (ALGORITHMS["RS256"](), "RS256")
    canary = KeyServer()
    canary.keys["evil"] = (ALGORITHMS["RS256"](), "RS256")
    accepted = authenticator(server)
    try:
        forged = token(canary, "evil", jku=canary.url, x5u=canary.url)
        with pytest.raises(AuthenticationError):
            accepted.authenticate(forged, None)
        assert canary.fetches == 0
    finally:
        canary.stop()


def test_the_public_key_is_no_symmetric_secret(server):
    server.keys["one"] = (ALGORITHMS["RS256"](), "RS256")
    accepted = authenticator(server)
    public = json.dumps(server.public("one")).encode()
    claims = {"sub": "ann", "iss": "dev-idp", "aud": "dev-api", "exp": int(time.time()) + 60}
    header = {"alg": "HS256", "kid": "one"}
    unsigned = ".".join(_part(json.dumps(part).encode()) for part in (header, claims))
    mac = hmac.digest(public, unsigned.encode(), "sha256")
    forged = f"{unsigned}.{_part(mac)}"

    with pytest.raises(AuthenticationError):
        accepted.authenticate(f"Bearer {forged}", None)


@pytest.mark.parametrize("kid", ["../../dev/null", "' OR 1--", "x" * 3000])
def test_a_key_id_is_only_a_name(server, kid):
    server.keys["one"] = (ALGORITHMS["RS256"](), "RS256")
    with pytest.raises(AuthenticationError):
        authenticator(server).authenticate(token(server, kid), None)
