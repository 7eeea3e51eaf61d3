"""Rate limits: who is counted as whom, what is not counted, and Redis coming and going."""

import itertools
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import httpx
import jwt
import pytest

from needs import need
from patience import PATIENCE_S
from ports import free_port

AMOUNT, EXECUTIONS = 8, 3
SECRET = "a-secret-of-more-than-thirty-two-bytes!"
PROXY = "127.0.0.2"


@pytest.fixture(scope="module")
def server(serve, tmp_path_factory):
    """One web process: what is kept in memory is counted per process, and amounts must be exact."""
    settings = {
        "WEB_PROCESSES": 1,
        "RATE_LIMIT_ENABLED": "true",
        "RATE_LIMIT_PER_MINUTE": AMOUNT,
        "RATE_LIMIT_EXECUTE_PER_MINUTE": EXECUTIONS,
        "TRUSTED_PROXIES": f"{PROXY}, 10.0.0.0/8",
    }
    with serve(tmp_path_factory.mktemp("limits"), **settings) as server:
        server.add("Quick", "true")
        yield server


@pytest.fixture(scope="module")
def http(server):
    with httpx.Client(base_url=server.url, timeout=PATIENCE_S) as client:
        yield client


def token(subject, **claims):
    """A caller's token, made without asking the server: logins count too."""
    registered = {"iss": "dev-idp", "aud": "dev-api", "exp": time.time() + 600, "sub": subject}
    return jwt.encode({**registered, "roles": ["sre"], **claims}, SECRET, algorithm="HS256")


def by(subject, **claims):
    return {"Authorization": f"Bearer {token(subject, **claims)}"}


def codes(replies):
    return Counter(reply.status_code for reply in replies)


def get(http, path, count, headers=None):
    return [http.get(path, headers=headers) for _ in range(count)]


def test_each_principal_has_an_amount_of_its_own(http):
    assert codes(get(http, "/api/runs", 12, by("ann"))) == {200: 8, 429: 4}
    assert codes(get(http, "/api/runs", 2, by("bob"))) == {200: 2}
    # Another token of the same person is no fresh amount.
    assert codes(get(http, "/api/runs", 1, by("ann", roles=["admin"]))) == {429: 1}


def test_all_addresses_of_the_api_count_together(http):
    """A caller has so many requests, not so many of each kind."""
    paths = ["/api/runs", "/api/runbooks", "/api/config", "/api/runbooks/Quick.md"] * 3
    replies = [http.get(path, headers=by("carol")) for path in paths]

    assert codes(replies) == {200: 8, 429: 4}


def test_executions_have_an_amount_of_their_own_whatever_their_address(http):
    paths = ["/api/runbooks/Quick.md/execute", "/api/runbooks/Quick.md"] * 3
    replies = [http.post(path, headers=by("dora")) for path in paths]

    assert codes(replies) == {200: 3, 429: 3}
    assert codes(get(http, "/api/runs", 1, by("dora"))) == {200: 1}


def test_a_refusal_says_when_to_come_back(http):
    replies = get(http, "/api/runs", 9, by("emil"))

    assert [reply.headers["ratelimit-policy"] for reply in replies] == ['"default";q=8;w=60'] * 9
    left = [re.fullmatch(r'"default";r=(\d+);t=(\d+)', r.headers["ratelimit"]) for r in replies]
    assert [int(match[1]) for match in left] == [*range(7, -1, -1), 0]
    assert all(0 < int(match[2]) <= 61 for match in left)
    refused = replies[-1]
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"] == left[-1][2]
    assert refused.headers["x-correlation-id"]
    assert refused.json()["code"] == "rate_limited"
    assert refused.json()["success"] is False


@pytest.mark.parametrize(
    "path",
    [
        "/livez",
        "/readyz",
        "/metrics",
        "/docs/openapi.yaml",
        "/docs/explorer.html",
        "/docs/assets/swagger-ui.css",
        "/",
        "/runs",
    ],
)
def test_what_is_not_counted(http, path):
    replies = get(http, path, 20)

    assert codes(replies) == {200: 20}
    assert "ratelimit" not in replies[-1].headers


def test_following_a_run_is_not_counted(http):
    headers = by("fay") | {"Accept": "application/json"}
    reply = http.post("/api/runbooks/Quick.md/execute", headers=headers)
    run = f"/api/runs/{reply.json()['run_id']}"

    assert codes(get(http, f"{run}/events", 12, headers)) == {200: 12}
    assert codes(get(http, f"{run}/log", 12, headers)) == {200: 12}
    assert codes(get(http, run, 9, headers)) == {200: 8, 429: 1}


def test_strangers_are_counted_by_address_and_cannot_choose_it(http):
    """W4: guessed tokens and logins count, whatever headers claim about where they come from."""

    def guess(method, path, number):
        address = f"198.51.100.{number}"
        headers = {
            "Authorization": f"Bearer guess.{number}.x",
            "X-Forwarded-For": address,
            "Forwarded": f"for={address}",
            "X-Real-IP": address,
        }
        return http.request(method, path, headers=headers)

    logins = [guess("POST", "/dev-login", number) for number in range(4)]
    guesses = [guess("GET", "/api/runs", number) for number in range(8)]
    executions = [guess("POST", "/api/runbooks/Quick.md/execute", number) for number in range(8)]

    assert codes(logins) == {200: 4}
    assert codes(guesses) == {401: 4, 429: 4}
    assert codes(executions) == {401: 3, 429: 5}
    assert guess("POST", "/dev-login", 99).status_code == 429


def test_behind_a_trusted_proxy_the_clients_are_told_apart(server):
    transport = httpx.HTTPTransport(local_address=PROXY)
    with httpx.Client(base_url=server.url, transport=transport) as proxy:

        def ask(forwarded, count):
            return codes(get(proxy, "/api/runs", count, {"X-Forwarded-For": forwarded}))

        assert ask("198.51.100.1", 9) == {401: 8, 429: 1}
        assert ask("198.51.100.2", 8) == {401: 8}
        assert ask("203.0.113.9, 198.51.100.2", 1) == {429: 1}  # the left part is the client's word
        assert ask("198.51.100.3, 10.1.2.3", 8) == {401: 8}  # a chain of trusted proxies
        assert ask("198.51.100.3", 1) == {429: 1}


def test_a_script_has_a_larger_amount_of_its_own(server, http):
    server.add(
        "Asks",
        """
        for n in {1..30}; do urls+=(-o /dev/null ${RUNBOOK_URL%/runbooks}/runs); done
        curl -s -w '%{http_code}\\n' -H "$RUNBOOK_H_AUTH" $urls | sort | uniq -c
        for n in {1..5}; do
            curl -s -o /dev/null -w '%{http_code}\\n' -X POST -H "$RUNBOOK_H_AUTH" \\
                $RUNBOOK_URL/Quick.md
        done | sort | uniq -c
        """,
    )
    result = http.post("/api/runbooks/Asks.md", headers=by("gus")).json()

    assert result["stdout"].split() == ["30", "200", "5", "200"], result
    assert http.get("/api/runs", headers=by("gus")).headers["ratelimit"].startswith('"default";r=7')


# -- with Redis ------------------------------------------------------------------------------------


class Redis:
    def __init__(self, folder):
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process = None

    def start(self):
        arguments = [
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            str(self._folder),
        ]
        program = shutil.which("redis-server")
        need(program, "redis-server")
        self._process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, text=True)
        for line in self._process.stdout:
            if "Ready to accept connections" in line:
                return self
        raise AssertionError("redis-server did not start")

    def signal(self, number):
        self._process.send_signal(number)

    def stop(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._process = None


@pytest.fixture
def redis(tmp_path):
    redis = Redis(tmp_path)
    yield redis.start()
    redis.stop()


def redis_settings(redis):
    return {
        "RATE_LIMIT_ENABLED": "true",
        "RATE_LIMIT_STORAGE_BACKEND": "redis",
        "REDIS_URL": redis.url,
        "WEB_PROCESSES": 2,
        "RATE_LIMIT_PER_MINUTE": 10,
    }


def burst(server, subject, count):
    """Requests on connections of their own, so that both web processes get some."""
    given = token(subject)

    def ask(_):
        connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
        headers = {"Authorization": f"Bearer {given}", "Connection": "close"}
        connection.request("GET", "/api/runs", headers=headers)
        with connection.getresponse() as reply:
            reply.read()
            return reply.status

    with ThreadPoolExecutor(8) as pool:
        return Counter(pool.map(ask, range(count)))


def assert_limited_in_memory(counted):
    """Each of two processes counts for itself; what was under way there, of 8 at a time, passes."""
    assert 10 <= counted.pop(200) <= 2 * (10 + 8)
    assert set(counted) == {429}


def test_redis_counts_exactly_over_all_web_processes_and_may_come_and_go(serve, tmp_path, redis):
    with serve(tmp_path / "server", **redis_settings(redis)) as server:
        assert burst(server, "ann", 40) == {200: 10, 429: 30}
        assert burst(server, "bob", 5) == {200: 5}

        redis.stop()
        assert_limited_in_memory(burst(server, "carol", 60))

        redis.start()
        attempts = (burst(server, f"dora-{n}", 30) for n in itertools.count())
        assert next(counted for counted in attempts if counted[200] == 10) == {200: 10, 429: 20}
        assert server.events_logged("http.fault") == []


def test_a_redis_that_hangs_costs_a_moment_and_no_request(serve, tmp_path, redis):
    with serve(tmp_path / "server", **redis_settings(redis)) as server:
        assert burst(server, "ann", 5) == {200: 5}

        redis.signal(signal.SIGSTOP)

        assert_limited_in_memory(burst(server, "bob", 60))
        assert server.events_logged("http.fault") == []


def test_a_server_whose_redis_was_never_there_serves_and_limits(serve, tmp_path):
    with serve(tmp_path / "server", **redis_settings(Redis(tmp_path))) as server:
        assert_limited_in_memory(burst(server, "ann", 40))
