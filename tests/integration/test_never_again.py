"""Each defect of the system that this one replaces has a test here that fails on it."""

import json
import os
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import psutil
import pytest

CANARIES = {
    "JWT_SECRET": "canary-jwt-secret-canary-jwt-secret",
    "REDIS_URL": "redis://:canary-redis@localhost:6379/0",
    "UNRELATED_SECRET": "canary-unrelated",
}


@pytest.fixture
def done(client, execute):
    return lambda ref, **values: execute(client, ref, **values)


def test_no_run_sees_the_variables_or_the_token_of_another(start_server, execute):
    """Twenty runs at once, each with a secret of its own, all open at the same time."""
    server = start_server(MAX_PARALLEL_RUNS=20)
    server.add(
        "Holds",
        """
        print -r -- "$MINE"
        touch $MEETING/$MINE
        while (( $(ls $MEETING | wc -l) < 20 )); do sleep 0.05; done
        cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n' | grep -ao 'MINE=.*' | sort -u | wc -l
        env
        """,
        inputs="MINE: secret\nMEETING: folder",
    )
    meeting = server.folder / "meeting"
    meeting.mkdir()
    names = [f"tenant-{number:02}-secret" for number in range(20)]

    def run(name):
        with server.client() as own:
            return name, execute(own, "Holds.md", MINE=name, MEETING=str(meeting))

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(run, names))

    tokens = set()
    for name, result in results:
        assert result["return_code"] == 0, result
        found = set(re.findall(r"tenant-\d\d-secret", result["stdout"]))
        assert found == {name}
        assert "RUNBOOK_API_TOKEN=***" in result["stdout"]
        tokens.add(result["run_id"])
    assert len(tokens) == 20
    for environment in environments(server):
        assert not {"MINE", "MEETING"} & set(environment)


def environments(server):
    """Those of a server's processes; one that ends meanwhile has none."""
    for process in [server.process, *server.process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            yield process.environ()


def test_no_secret_of_the_server_reaches_a_script(start_server, execute):
    server = start_server(**CANARIES, MAX_PARALLEL_RUNS=2)
    server.add(
        "Looks",
        """
        env; set; cat /proc/self/environ
        pid=$PPID
        while (( pid > 1 )); do
          cat /proc/$pid/environ; tr '\\0' ' ' < /proc/$pid/cmdline
          pid=$(awk '/^PPid/ {print $2}' /proc/$pid/status)
          [[ -e /proc/$pid/comm && "$(cat /proc/$pid/comm)" != *python* ]] && break
        done
        print; print -r -- descriptors: /proc/self/fd/*(N)
        """,
    )
    with server.client() as client:
        result = execute(client, "Looks.md")

    assert result["return_code"] == 0, result
    assert "canary" not in result["stdout"] + result["stderr"]
    for environment in environments(server):
        assert "canary" not in json.dumps(environment)


@pytest.mark.parametrize(
    "heading",
    ["# Required Claim", "# required  claims:", "## Required Claims", "# RequiredClaims"],
)
def test_misspelt_claims_never_open_a_runbook(server, client, done, heading):
    path = server.runbooks / "Spelt.md"
    server.add("Spelt", "print opened", claims="roles: nobody")
    path.write_text(path.read_text().replace("# Required Claims", heading))

    result = done("Spelt.md")

    assert result["status"] == "invalid"
    assert "opened" not in result["stdout"]


@pytest.mark.parametrize("block", ["", "```yaml\n- a\n```", "```yaml\n{a: [\n```", "```yaml\n```"])
def test_claims_that_cannot_be_understood_never_open_a_runbook(server, client, block):
    server.add("Broken", "print opened", claims="roles: nobody")
    path = server.runbooks / "Broken.md"
    path.write_text(path.read_text().replace("```yaml\nroles: nobody\n```", block))

    reply = client.post("/api/runbooks/Broken.md/execute", json={})

    assert '"status": "invalid"' in reply.text
    assert "Required Claims" in reply.text
    assert "opened" not in reply.text
    (listed,) = [
        item
        for item in client.get("/api/runbooks").json()["runbooks"]
        if item["filename"] == "Broken.md"
    ]
    assert not listed["valid"]
    assert not listed["executable"]


def test_an_example_in_the_description_is_not_the_script(server, done):
    server.add("Example", "print the script")
    path = server.runbooks / "Example.md"
    example = "A runbook of the tests.\n\n```sh\nprint the example\n# Script\n```\n"
    path.write_text(path.read_text().replace("A runbook of the tests.\n", example))

    assert done("Example.md")["stdout"] == "the script\n"


def test_a_fence_inside_a_heredoc_does_not_cut_the_script(server, done):
    script = "cat <<'EOF'\n```sh\ninside\n```\nEOF\nprint after"
    server.add("Heredoc", script)
    path = server.runbooks / "Heredoc.md"
    path.write_text(path.read_text().replace(f"```zsh\n{script}\n```", f"~~~~zsh\n{script}\n~~~~"))

    assert done("Heredoc.md")["stdout"] == "```sh\ninside\n```\nafter\n"


def test_a_script_that_its_fence_cuts_is_not_half_executed(server, done):
    script = "print before\ncat <<'EOF'\n```\ninside\n```\nEOF\nprint after"
    server.add("Cut", script)

    result = done("Cut.md")

    assert result["status"] == "invalid"
    assert "before" not in result["stdout"]


def test_grandchildren_do_not_outlive_a_timeout(start_server, execute, nap, sleepers):
    server = start_server(SCRIPT_TIMEOUT_SECONDS=1)
    server.add(
        "Leaves",
        f"""
        setsid sleep {nap} &
        nohup sleep {nap} >/dev/null &
        (sleep {nap} &)
        env -i setsid sleep {nap}
        """,
    )
    with server.client() as client:
        result = execute(client, "Leaves.md")

    assert result["return_code"] == -9
    assert result["status"] == "timed_out"
    assert "Script execution timed out after 1 seconds" in result["stderr"]
    assert not sleepers()


def test_bytes_that_are_no_utf8_lose_nothing_after_them(server, done):
    server.add("Bytes", "print -n 'a\\xffb\\xc3'; sleep 0.3; print -n '\\xa9c'; print 'end'")

    assert done("Bytes.md")["stdout"] == "a\ufffdb\u00e9cend\n"


def test_a_long_line_is_kept_whole(server, done):
    server.add("LongLine", "head -c 3000000 /dev/zero | tr '\\0' x; print end")

    result = done("LongLine.md")

    assert result["stdout"] == "x" * 3_000_000 + "end\n"


def test_a_client_that_does_not_read_costs_the_server_nothing(start_server):
    server = start_server(MAX_OUTPUT_SIZE_BYTES=200_000_000)
    server.add("Floods", "head -c 60000000 /dev/zero | tr '\\0' x")
    token = server.token()
    processes = [server.web, *server.web.children()]
    before = {process.pid: process.memory_info().rss for process in processes}
    deaf = socket.create_connection(("127.0.0.1", server.port))
    deaf.sendall(
        f"POST /api/runbooks/Floods.md/execute HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    with server.client() as client:
        run = wait_until_ended(client, "Floods.md")
        deaf.close()

        assert run["status"] == "succeeded"
        assert run["log_bytes"] == 60_000_000
    for process in processes:
        assert process.memory_info().rss - before[process.pid] < 64 * 2**20


def wait_until_ended(client, ref):
    """The newest run of a runbook, once it has ended: by its own event stream."""
    while not (runs := client.get("/api/runs", params={"runbook": ref}).json()["runs"]):
        pass
    run_id = runs[0]["id"]
    after = runs[0]["last_event"]
    with client.stream("GET", f"/api/runs/{run_id}/events?after={max(0, after - 1)}") as reply:
        for _ in reply.iter_lines():
            pass
    return client.get(f"/api/runs/{run_id}").json()


def test_a_run_whose_client_left_is_recorded(server, client):
    server.add(
        "Alone",
        "print begun; while [[ ! -e $GATE ]]; do sleep 0.02; done; print over",
        inputs="GATE: file",
    )
    gate = server.folder / "left"
    body = {"env_vars": {"GATE": str(gate)}}
    with client.stream("POST", "/api/runbooks/Alone.md/execute", json=body) as reply:
        next(reply.iter_lines())  # and away
    gate.touch()

    run = wait_until_ended(client, "Alone.md")

    assert run["status"] == "succeeded"
    assert "over" in (server.runbooks / "Alone.md").read_text().partition("# History")[2]


def test_a_run_of_a_server_that_is_stopped_is_recorded(start_server):
    server = start_server(DRAIN_SECONDS=0)
    server.add("Cut", "print begun; sleep 100")
    with server.client() as client:
        reply = client.post("/api/runbooks/Cut.md/execute", headers={"Prefer": "respond-async"})
        with client.stream("GET", f"/api/runs/{reply.json()['run_id']}/events") as events:
            for line in events.iter_lines():
                if '"begun' in line:
                    break
    assert server.stop() == 0

    history = (server.runbooks / "Cut.md").read_text().partition("# History")[2]
    assert "| Exit Code: -1" in history
    assert "interrupted" in history
    server.start()
    with server.client() as client:
        assert client.get("/api/runs").json()["runs"][0]["status"] == "interrupted"


def test_a_fifo_or_a_link_in_the_folder_neither_hangs_nor_leaks(server, client, done):
    os.mkfifo(server.runbooks / "Pipe.md")
    (server.runbooks / "Leak.md").symlink_to("/etc/passwd")
    server.add("Wants", "cat passwd Pipe.md", files="  - ../../../../etc/passwd\n  - Pipe.md")

    listed = [item["filename"] for item in client.get("/api/runbooks").json()["runbooks"]]

    assert "Leak.md" not in listed
    assert client.get("/api/runbooks/Leak.md").status_code == 404
    assert client.get("/api/runbooks/Pipe.md").status_code == 404
    assert done("Wants.md")["status"] == "invalid"


def test_yaml_aliases_do_not_grow(server, done):
    bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    bomb += [f"{b}: &{b} [{', '.join(['*' + a] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi")]
    server.add("Bomb", "true", inputs="\n".join(bomb))
    before = {p.pid: p.memory_info().rss for p in server.web.children()}

    assert done("Bomb.md")["status"] == "invalid"
    for process in server.web.children():
        assert process.memory_info().rss - before[process.pid] < 20 * 2**20


def test_metrics_have_no_series_per_path_and_are_the_same_from_every_process(server, client, done):
    server.add("Counted", "true")
    for _ in range(3):
        done("Counted.md")
    for number in range(50):
        client.get(f"/api/nothing/{number}")
        client.get(f"/nothing-{number}")
        client.request(f"METHOD{number}", "/")

    answers = set()
    with ThreadPoolExecutor(8) as pool:
        for text in pool.map(lambda _: httpx.get(f"{server.url}/metrics").text, range(40)):
            assert "nothing" not in text
            assert "METHOD" not in text
            (line,) = re.findall(
                r'^runbook_runs_total\{runbook="Counted.md",status="succeeded"\} (.+)$',
                text,
                re.MULTILINE,
            )
            answers.add(float(line))
    assert answers == {3.0}


def test_rate_limits_limit_more_than_the_health_check(start_server):
    server = start_server(
        RATE_LIMIT_ENABLED="true",
        RATE_LIMIT_PER_MINUTE=5,
        RATE_LIMIT_EXECUTE_PER_MINUTE=2,
        WEB_PROCESSES=1,
    )
    server.add("Quick", "true")
    with server.client() as client:
        executed = [client.post("/api/runbooks/Quick.md/execute").status_code for _ in range(4)]
        listed = [client.get("/api/runbooks") for _ in range(7)]
        health = [client.get("/livez").status_code for _ in range(20)]

    assert executed == [200, 200, 429, 429]
    assert [reply.status_code for reply in listed] == [200] * 5 + [429] * 2
    assert int(listed[-1].headers["retry-after"]) > 0
    assert listed[-1].headers["ratelimit-policy"] == '"default";q=5;w=60'
    assert listed[0].headers["ratelimit"].startswith('"default";r=4;t=')
    assert listed[-1].json()["code"] == "rate_limited"
    assert set(health) == {200}


def test_a_read_only_runbook_still_runs_and_says_where_its_history_is(server, client, done):
    path = server.add("Fixed", "print fine")
    (server.runbooks / path).chmod(0o444)

    result = done(path)

    assert result["success"] is True
    assert "read-only" in result["warnings"][0]
    assert "Exit Code" not in (server.runbooks / path).read_text()
    assert client.get(f"/api/runs/{result['run_id']}").json()["status"] == "succeeded"


def test_many_stalled_followers_do_not_stop_the_others(server, client, execute):
    server.add("Busy", "for n in {1..200}; do print line $n; done")
    deaf = []
    token = server.token()
    for _ in range(50):
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(
            f"POST /api/runbooks/Busy.md/execute HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n".encode()
        )
        deaf.append(connection)
    try:
        result = execute(client, "Busy.md")
    finally:
        for connection in deaf:
            connection.close()

    assert result["success"] is True, "".join(server.log[-30:])
    assert len(result["stdout"].splitlines()) == 200
