"""Rate limits: who is counted as whom, what is not counted, and Redis coming and going."""

import re
import shutil
import signal
import socket
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

# One process where amounts must be exact: what is kept in memory is counted per web process.
EXACT = {"RATE_LIMIT_ENABLED": "true", "WEB_PROCESSES": 1}


@pytest.fixture(scope="module")
def serve(request):
    """The conftest's context manager, for servers with settings of their own."""
    path = Path(__file__).with_name("conftest.py")
    return request.config.pluginmanager.get_plugin(str(path)).running


@pytest.fixture(scope="module")
def server(serve, tmp_path_factory):
    amounts = {"RATE_LIMIT_PER_MINUTE": 8, "RATE_LIMIT_EXECUTE_PER_MINUTE": 3}
    with serve(tmp_path_factory.mktemp("limits"), **EXACT, **amounts) as server:
        server.add("Quick", "true")
        server.tokens = {name: server.token(name) for name in "abcdefg"}
        yield server


def codes(replies):
    return Counter(reply.status_code for reply in replies)


def as_(server, name):
    return {"Authorization": f"Bearer {server.tokens[name]}"}


def get(server, path, count, headers=None):
    return [httpx.get(server.url + path, headers=headers) for _ in range(count)]


def test_each_principal_has_an_amount_of_its_own(server):
    assert codes(get(server, "/api/runs", 12, as_(server, "a"))) == {200: 8, 429: 4}
    assert codes(get(server, "/api/runs", 2, as_(server, "b"))) == {200: 2}


def test_all_addresses_of_the_api_count_together(server):
    """A caller has so many requests, not so many of each kind."""
    paths = ["/api/runs", "/api/runbooks", "/api/config", "/api/runbooks/Quick.md"] * 3
    replies = [httpx.get(server.url + path, headers=as_(server, "c")) for path in paths]

    assert codes(replies) == {200: 8, 429: 4}


def test_executions_have_an_amount_of_their_own_whatever_their_address(server):
    paths = ["/api/runbooks/Quick.md/execute", "/api/runbooks/Quick.md"] * 3
    replies = [httpx.post(server.url + path, headers=as_(server, "d")) for path in paths]

    assert codes(replies) == {200: 3, 429: 3}
    assert codes(get(server, "/api/runs", 1, as_(server, "d"))) == {200: 1}


def test_a_refusal_says_when_to_come_back(server):
    replies = get(server, "/api/runs", 9, as_(server, "e"))

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
        "/any/page",
    ],
)
def test_what_is_not_counted(server, path):
    replies = get(server, path, 20, as_(server, "f"))

    assert codes(replies) == {200: 20}
    assert "ratelimit" not in replies[-1].headers


def test_following_a_run_is_not_counted(server):
    headers = as_(server, "g") | {"Accept": "application/json"}
    reply = httpx.post(f"{server.url}/api/runbooks/Quick.md/execute", headers=headers)
    run = f"/api/runs/{reply.json()['run_id']}"

    assert codes(get(server, f"{run}/events", 12, headers)) == {200: 12}
    assert codes(get(server, f"{run}/log", 12, headers)) == {200: 12}
    assert codes(get(server, run, 9, headers)) == {200: 8, 429: 1}


def test_an_old_token_of_the_same_person_is_no_fresh_amount(serve, tmp_path):
    with serve(tmp_path, **EXACT, RATE_LIMIT_PER_MINUTE=4) as server:
        first, second = server.token("ann"), server.token("ann", roles=["admin"])
        replies = [
            httpx.get(f"{server.url}/api/runs", headers={"Authorization": f"Bearer {token}"})
            for token in (first, second) * 3
        ]
        assert codes(replies) == {200: 4, 429: 2}


@pytest.mark.parametrize("path", ["/api/runs", "/api/runbooks/Quick.md/execute", "/dev-login"])
def test_strangers_are_counted_by_address_and_cannot_choose_it(serve, tmp_path, path):
    """W4: guessed tokens and logins count, whatever headers claim about where they come from."""
    with serve(
        tmp_path, **EXACT, RATE_LIMIT_PER_MINUTE=5, RATE_LIMIT_EXECUTE_PER_MINUTE=5
    ) as server:
        replies = [
            httpx.request(
                "GET" if path == "/api/runs" else "POST",
                server.url + path,
                headers={
                    "Authorization": f"Bearer guess.{number}.x",
                    "X-Forwarded-For": f"198.51.100.{number}",
                    "Forwarded": f"for=198.51.100.{number}",
                    "X-Real-IP": f"198.51.100.{number}",
                },
            )
            for number in range(12)
        ]
        passed = 200 if path == "/dev-login" else 401
        assert codes(replies) == {passed: 5, 429: 7}


def test_behind_a_trusted_proxy_the_clients_are_told_apart(serve, tmp_path):
    with serve(
        tmp_path, **EXACT, RATE_LIMIT_PER_MINUTE=3, TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8"
    ) as server:

        def ask(forwarded, count):
            headers = {"X-Forwarded-For": forwarded}
            return codes(get(server, "/api/runs", count, headers))

        assert ask("198.51.100.1", 4) == {401: 3, 429: 1}
        assert ask("198.51.100.2", 3) == {401: 3}
        assert ask("203.0.113.9, 198.51.100.2", 1) == {429: 1}  # the left part is the client's word
        assert ask("198.51.100.3, 10.1.2.3", 3) == {401: 3}  # a chain of trusted proxies
        assert ask("198.51.100.3", 1) == {429: 1}


def test_a_script_has_a_larger_amount_of_its_own(serve, tmp_path, execute):
    with serve(
        tmp_path, **EXACT, RATE_LIMIT_PER_MINUTE=3, RATE_LIMIT_EXECUTE_PER_MINUTE=2
    ) as server:
        server.add("Quick", "true")
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
        with server.client() as client:
            result = execute(client, "Asks.md")
            assert result["stdout"].split() == ["30", "200", "5", "200"], result
            assert client.get("/api/runs").headers["ratelimit"].startswith('"default";r=2;')


def test_limits_can_be_turned_off(serve, tmp_path):
    with serve(tmp_path, RATE_LIMIT_ENABLED="false", RATE_LIMIT_PER_MINUTE=1) as server:
        replies = get(server, "/api/runs", 5)
        assert codes(replies) == {401: 5}
        assert "ratelimit" not in replies[0].headers


# -- with Redis ------------------------------------------------------------------------------------

needs_redis = pytest.mark.skipif(not shutil.which("redis-server"), reason="needs redis-server")


class Redis:
    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
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
        self._process = subprocess.Popen(
            [shutil.which("redis-server"), *arguments], stdout=subprocess.PIPE, text=True
        )
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


REDIS = {
    "RATE_LIMIT_ENABLED": "true",
    "RATE_LIMIT_STORAGE_BACKEND": "redis",
    "WEB_PROCESSES": 2,
}


def burst(server, token, count):
    """Requests on connections of their own, so that both web processes get some."""
    headers = {"Authorization": f"Bearer {token}"}
    with ThreadPoolExecutor(8) as pool:
        replies = pool.map(
            lambda _: httpx.get(f"{server.url}/api/runs", headers=headers, timeout=30),
            range(count),
        )
        return codes(replies)


@needs_redis
def test_redis_counts_exactly_over_all_web_processes(serve, tmp_path, redis):
    with serve(
        tmp_path / "server", **REDIS, REDIS_URL=redis.url, RATE_LIMIT_PER_MINUTE=15
    ) as server:
        assert burst(server, server.token("ann"), 60) == {200: 15, 429: 45}
        assert burst(server, server.token("bob"), 10) == {200: 10}


@needs_redis
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_when_redis_stops_or_hangs_limits_go_on_in_memory(serve, tmp_path, redis, number):
    """Not exact then, since each process counts for itself; but no request fails."""
    with serve(
        tmp_path / "server", **REDIS, REDIS_URL=redis.url, RATE_LIMIT_PER_MINUTE=10
    ) as server:
        ann, bob = server.token("ann"), server.token("bob")
        assert burst(server, ann, 20) == {200: 10, 429: 10}

        redis.signal(number)

        counted = burst(server, bob, 60)
        # A request that was under way in each of the 8 threads may pass uncounted.
        assert 10 <= counted.pop(200) <= 2 * 10 + 8
        assert set(counted) == {429}
        assert server.events_logged("http.fault") == []


@needs_redis
def test_limits_return_to_redis_when_it_is_back(serve, tmp_path, redis):
    with serve(
        tmp_path / "server",
        **REDIS | {"WEB_PROCESSES": 1},
        REDIS_URL=redis.url,
        RATE_LIMIT_PER_MINUTE=10,
    ) as server:
        token = server.token("ann")
        redis.stop()
        assert set(burst(server, token, 20)) == {200, 429}

        redis.start()

        # Redis knows nothing of the requests that were counted in memory.
        while 200 not in burst(server, token, 1):
            pass
        assert burst(server, token, 20)[200] == 9


@needs_redis
def test_a_server_whose_redis_was_never_there_serves_and_limits(serve, tmp_path):
    absent = Redis(tmp_path)
    with serve(
        tmp_path / "server", **REDIS, REDIS_URL=absent.url, RATE_LIMIT_PER_MINUTE=5
    ) as server:
        counted = burst(server, server.token("ann"), 30)

        assert 5 <= counted.pop(200) <= 2 * 5 + 8
        assert set(counted) == {429}
