import base64
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from runbook.access.authenticators import (
    Authenticators,
    CallerTokenAuthenticator,
    RunTokenAuthenticator,
)
from runbook.access.keys import stored_key
from runbook.access.tokens import CallerTokens, RunTokens, dev_login
from runbook.core.access import Principal
from runbook.core.permissions import SCRIPT_PERMISSIONS, Permission
from runbook.core.run import Origin
from runbook.errors import AuthenticationError, ConfigurationError, RequestError
from runbook.settings import Settings

SECRET = "a-secret-of-more-than-thirty-two-bytes!"
RUN_KEY = bytes(range(32))


def chain(**environment):
    settings = Settings.load(environment)
    return Authenticators(
        RunTokenAuthenticator(RunTokens(RUN_KEY), settings.role_permissions),
        CallerTokenAuthenticator(CallerTokens(settings), settings.role_permissions),
    )


@pytest.fixture(scope="module")
def authenticator():
    return chain(JWT_SECRET=SECRET)


@pytest.fixture(scope="module")
def tokens():
    return CallerTokens(Settings.load({"JWT_SECRET": SECRET}))


def claims(**changed):
    base = {"sub": "ann", "iss": "dev-idp", "aud": "dev-api", "exp": int(time.time()) + 3600}
    return {name: value for name, value in (base | changed).items() if value is not ...}


def signed(payload, key=SECRET, algorithm="HS256", **header):
    return jwt.encode(payload, key, algorithm=algorithm, headers=header or None)


def raw_token(header, payload):
    parts = (base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (header, payload))
    return ".".join([*parts, ""])


def test_a_good_token_names_its_subject_and_claims(authenticator):
    token = signed(claims(roles=["sre"], team="core"))

    principal = authenticator.authenticate(f"bEaReR {token}", "192.0.2.1")

    assert principal.subject == "ann"
    assert principal.claims == {"sub": "ann", "roles": ["sre"], "team": "core"}
    assert principal.origin is Origin.API
    assert principal.address == "192.0.2.1"


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": int(time.time()) - 11},
        {"exp": ...},
        {"exp": str(int(time.time()) + 3600)},
        {"exp": 10**400},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"sub": ...},
        {"sub": ""},
        {"sub": 5},
        {"sub": "x" * 257},
        {"iss": ...},
        {"iss": "other"},
        {"iss": "dev-idp2"},
        {"aud": ...},
        {"aud": "dev-api2"},
        {"aud": []},
        {"nbf": int(time.time()) + 86400},
        {"nbf": "soon"},
        {"iat": int(time.time()) + 86400},
        {"iat": True},
    ],
)
def test_claims_that_are_wrong_are_refused(authenticator, changed):
    with pytest.raises(AuthenticationError):
        authenticator.authenticate(f"Bearer {signed(claims(**changed))}", None)


@pytest.mark.parametrize(
    ("changed", "reason", "claim"),
    [
        ({"exp": int(time.time()) - 11}, "expired", None),
        ({"aud": "other"}, "audience", None),
        ({"iss": "other"}, "issuer", None),
        ({"nbf": int(time.time()) + 86400}, "not_yet_valid", None),
        ({"iat": int(time.time()) + 86400}, "not_yet_valid", None),
        ({"sub": ...}, "missing_claim", "sub"),
        ({"exp": ...}, "missing_claim", "exp"),
        ({"aud": ...}, "missing_claim", "aud"),
        ({"iss": ...}, "missing_claim", "iss"),
        ({"sub": " "}, "invalid_claim", "sub"),
        ({"exp": 10**400}, "invalid_claim", "exp"),
    ],
)
def test_a_refusal_says_why(authenticator, changed, reason, claim):
    token = signed(claims(**changed))
    with pytest.raises(AuthenticationError) as refused:
        authenticator.authenticate(f"Bearer {token}", None)
    assert refused.value.details.get("reason") == reason
    assert refused.value.details.get("claim") == claim
    assert token not in refused.value.message


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (signed(claims(), key="another-secret-of-more-than-32-bytes"), "signature"),
        (signed(claims(), key=SECRET * 2, algorithm="HS384"), "algorithm"),
        ("a.b.c", "malformed"),
        ("x" * 8193, "malformed"),
    ],
)
def test_a_refusal_of_the_form_says_why(authenticator, token, reason):
    with pytest.raises(AuthenticationError) as refused:
        authenticator.authenticate(f"Bearer {token}", None)
    assert refused.value.details["reason"] == reason


def test_our_audience_may_be_one_of_several(authenticator):
    token = signed(claims(aud=["other", "dev-api"]))
    assert authenticator.authenticate(f"Bearer {token}", None).subject == "ann"


def test_a_missing_iat_and_a_long_life_are_fine(authenticator):
    token = signed(claims(exp=int(time.time()) + 10**9))
    assert authenticator.authenticate(f"Bearer {token}", None).subject == "ann"


@pytest.mark.parametrize("name", ["none", "None", "nOnE", "HS512", ""])
def test_another_algorithm_is_refused(authenticator, name):
    token = raw_token(json.dumps({"alg": name}).encode(), json.dumps(claims()).encode())
    with pytest.raises(AuthenticationError):
        authenticator.authenticate(f"Bearer {token}", None)


def test_an_asymmetric_key_is_no_symmetric_secret(authenticator):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(AuthenticationError):
        authenticator.authenticate(f"Bearer {signed(claims(), key, 'RS256')}", None)


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b.c", "a.b", "....", "é.é.é", "x" * 8193, "x" * 1_000_000, "a" * 4000 + ".b.c"],
)
def test_what_is_no_token_is_refused(authenticator, token):
    with pytest.raises(AuthenticationError):
        authenticator.authenticate(f"Bearer {token}", None)


@pytest.mark.parametrize("header", [None, "", "Basic YTpi", "Bearer"])
def test_another_scheme_is_refused(authenticator, header):
    with pytest.raises(AuthenticationError):
        authenticator.authenticate(header, None)


def test_a_claim_given_twice_is_refused(authenticator):
    payload = json.dumps(claims())[:-1] + ', "roles": ["viewer"], "roles": ["admin"]}'
    header = json.dumps({"alg": "HS256"}).encode()
    unsigned = raw_token(header, payload.encode())[:-1]
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = mac.sign(unsigned.encode(), SECRET.encode())
    token = f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    with pytest.raises(AuthenticationError):
        authenticator.authenticate(f"Bearer {token}", None)


@pytest.mark.parametrize("extra", [{"crit": ["x"], "x": 1}, {"kid": "../../dev/null"}])
def test_headers_change_nothing_for_a_symmetric_secret(authenticator, extra):
    token = signed(claims(), **extra)
    if "crit" in extra:
        with pytest.raises(AuthenticationError):
            authenticator.authenticate(f"Bearer {token}", None)
    else:
        assert authenticator.authenticate(f"Bearer {token}", None).subject == "ann"


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail_otherwise(data):
    authenticator = chain(JWT_SECRET=SECRET)
    with pytest.raises(AuthenticationError):
        authenticator.authenticate("Bearer " + data.decode("latin-1"), None)


def test_a_scripts_token_carries_the_claims_and_its_run(authenticator):
    token = RunTokens(RUN_KEY).mint("run-1", "ann", {"roles": ["sre"], "aud": "x"})

    principal = authenticator.authenticate(f"Bearer {token}", None)

    assert principal.run_id == "run-1"
    assert principal.origin is Origin.RUNBOOK
    assert principal.claims["roles"] == ["sre"]


def test_a_caller_cannot_forge_a_scripts_token(authenticator):
    forged = signed(claims(iss="runbook-engine", aud="runbook-run", run_id="run-1"))
    with pytest.raises(AuthenticationError):
        authenticator.authenticate(f"Bearer {forged}", None)


def test_a_caller_cannot_claim_to_be_a_run(authenticator):
    principal = authenticator.authenticate(f"Bearer {signed(claims(run_id='run-1'))}", None)
    assert principal.run_id is None


@pytest.mark.parametrize("shift", [-400 * 86_400, 400 * 86_400])
def test_a_scripts_token_is_valid_however_the_clock_jumps(authenticator, monkeypatch, shift):
    """The end of its run makes it invalid."""
    then = time.time() + shift
    with monkeypatch.context() as jumped:
        jumped.setattr(time, "time", lambda: then)
        token = RunTokens(RUN_KEY).mint("run-1", "ann", {})

    assert authenticator.authenticate(f"Bearer {token}", None).run_id == "run-1"


def test_dev_login_mints_what_authenticate_accepts(authenticator, tokens):
    minted = dev_login(tokens, "bob", ["sre", "api"])

    principal = authenticator.authenticate(f"Bearer {minted.token}", None)

    assert principal.subject == "bob"
    assert principal.claims["roles"] == ["sre", "api"]
    assert minted.expires_at > time.time()


@pytest.mark.parametrize(("subject", "roles"), [("", []), (5, []), ("a", "sre"), ("a", [1])])
def test_dev_login_refuses_wrong_types(tokens, subject, roles):
    with pytest.raises(RequestError):
        dev_login(tokens, subject, roles)


@pytest.mark.parametrize("text", ["m\udcff", "a\0"])
def test_no_claim_that_cannot_be_stored_is_accepted(authenticator, tokens, text):
    for changed in ({"sub": text}, {"roles": ["sre", text]}, {"deep": [{text: 1}]}):
        with pytest.raises(AuthenticationError):
            authenticator.authenticate(f"Bearer {signed(claims(**changed))}", None)
    script = RunTokens(RUN_KEY).mint("run-1", text, {})
    with pytest.raises(AuthenticationError):
        authenticator.authenticate(f"Bearer {script}", None)
    for subject, roles in ((text, []), ("ann", [text])):
        with pytest.raises(RequestError):
            dev_login(tokens, subject, roles)


def test_without_a_secret_nobody_is_accepted():
    authenticator = chain()

    with pytest.raises(AuthenticationError):
        authenticator.authenticate(f"Bearer {signed(claims())}", None)
    with pytest.raises(ConfigurationError):
        CallerTokens(Settings.load({})).mint("ann", {})


def given_by(principal):
    return {permission for permission in Permission if principal.grants.allow(permission)}


def test_roles_give_permissions(authenticator):
    admin = authenticator.authenticate(f"Bearer {signed(claims(roles='dev, admin'))}", None)
    dev = authenticator.authenticate(f"Bearer {signed(claims(roles=['dev'], role='admin'))}", None)
    assert given_by(admin) == set(Permission)
    assert given_by(dev) == given_by(authenticator.authenticate(f"Bearer {signed(claims())}", None))
    assert Permission.SERVER_SHUTDOWN not in given_by(dev)


def test_a_scripts_token_gives_no_more_than_scripts_may(authenticator):
    token = RunTokens(RUN_KEY).mint("run-1", "ann", {"roles": ["admin"]})
    assert given_by(authenticator.authenticate(f"Bearer {token}", None)) == SCRIPT_PERMISSIONS


def test_a_scripts_token_gives_no_more_than_its_requester_may():
    authenticator = chain(JWT_SECRET=SECRET, ROLE_PERMISSIONS="sre=runbook.execute,server.shutdown")
    token = RunTokens(RUN_KEY).mint("run-1", "ann", {"roles": ["sre"]})
    principal = authenticator.authenticate(f"Bearer {token}", None)
    assert given_by(principal) == {Permission.RUNBOOK_EXECUTE}


def test_what_a_token_says_of_its_issuer_does_not_choose_its_key():
    """Signed by JWT_SECRET, it is a caller's whatever it calls itself."""
    authenticator = chain(
        JWT_SECRET=SECRET, JWT_ISSUER="runbook-engine", JWT_AUDIENCE="runbook-run"
    )
    token = signed(claims(iss="runbook-engine", aud="runbook-run", run_id="run-1"))
    principal = authenticator.authenticate(f"Bearer {token}", None)
    assert (principal.origin, principal.run_id) == (Origin.API, None)


class Session:
    """Takes whatever comes from one address."""

    def authenticate(self, credentials):
        known = credentials.address == "192.0.2.9"
        return Principal("sam", Origin.API) if known else None


def test_another_way_to_prove_who_one_is_is_one_more_member():
    authenticator = Authenticators(Session())
    assert authenticator.authenticate(None, "192.0.2.9").subject == "sam"
    with pytest.raises(AuthenticationError):
        authenticator.authenticate(None, "192.0.2.1")


def test_a_key_is_made_once_closed_to_others_and_kept(tmp_path):
    path = tmp_path / "keys" / "one"

    key = stored_key(path)

    assert stored_key(path) == key
    assert len(key) == 32
    assert path.stat().st_mode & 0o077 == 0
    assert [file.name for file in path.parent.iterdir()] == ["one"]


def test_a_damaged_key_is_refused_not_replaced(tmp_path):
    path = tmp_path / "one"
    path.write_bytes(b"short")

    with pytest.raises(ConfigurationError, match="one"):
        stored_key(path)
    assert path.read_bytes() == b"short"


@pytest.mark.parametrize("broken", ["file", "folder"])
def test_a_key_that_cannot_be_used_is_an_error_of_the_configuration(tmp_path, broken):
    if broken == "file":
        (tmp_path / "keys").touch()
    else:
        (tmp_path / "keys" / "inputs").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="keys/inputs"):
        stored_key(tmp_path / "keys" / "inputs")


def test_a_token_is_verified_once(monkeypatch):
    authenticator, token = chain(JWT_SECRET=SECRET), signed(claims(roles=["sre"]))
    first = authenticator.authenticate(f"Bearer {token}", None)
    first.claims["roles"] = ("admin",)
    monkeypatch.setattr(jwt, "decode", None)
    assert authenticator.authenticate(f"Bearer {token}", None).claims["roles"] == ["sre"]
