"""Killing processes at every stage: no run vanishes, none runs twice, nothing is left behind."""

import itertools
import json
import os
import signal

import psutil
import pytest

from patience import PATIENCE_S
from runbook.library.history import verify_file

ON_BOTH_DATABASES = True
STRAY = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)
COUNTS = """
print counted >> $COUNTER
print begun
while [[ ! -e $GATE ]]; do sleep 0.02; done
print over
"""
INPUTS = "COUNTER: file\nGATE: file"


def begin(client, ref, **env_vars):
    """Submit a run and wait until its script has printed its first line."""
    reply = client.post(
        f"/api/runbooks/{ref}/execute",
        json={"env_vars": env_vars},
        headers={"Prefer": "respond-async"},
    )
    run_id = reply.json()["run_id"]
    with client.stream("GET", f"/api/runs/{run_id}/events") as events:
        for line in events.iter_lines():
            if '"begun' in line:
                return run_id
    raise AssertionError("the script did not begin")


def counted(server):
    server.add("Counts", COUNTS, inputs=INPUTS)
    return {"COUNTER": str(server.folder / "counter"), "GATE": str(server.folder / "gate")}


def one_history_entry(server, ref, run_id):
    text = (server.runbooks / ref).read_text().partition("# History")[2]
    assert text.count(f"run={run_id} ") == 1
    assert verify_file(server.runbooks / ref).ok


def test_web_processes_may_be_reloaded_and_killed_while_a_run_goes_on(start_server, follow):
    server = start_server()
    files = counted(server)
    server.add(
        "Lines",
        """
        for n in {1..300}; do print line $n; sleep 0.01; done
        print begun
        while [[ ! -e $GATE ]]; do sleep 0.02; done
        """,
        inputs="GATE: file",
    )
    with server.client() as client:
        run_id = begin(client, "Counts.md", **files)
        lines_run = client.post(
            "/api/runbooks/Lines.md/execute",
            json={"env_vars": {"GATE": files["GATE"]}},
            headers={"Prefer": "respond-async"},
        ).json()["run_id"]
        seen = follow_through(server, lines_run, interruptions(server), files["GATE"])
        assert [event["n"] for event in seen] == list(range(1, len(seen) + 1))
        text = "".join(event.get("text", "") for event in seen)
        assert text == "".join(f"line {n}\n" for n in range(1, 301)) + "begun\n"
        assert seen[-1]["status"] == "succeeded"
        assert list(follow(client, run_id))[-1]["status"] == "succeeded"
        assert client.get(f"/api/runs/{run_id}/log").text == "begun\nover\n"
    one_history_entry(server, "Counts.md", run_id)


def interruptions(server):
    """What is done to the web processes, one after the other."""

    def reload():
        server.web.send_signal(signal.SIGHUP)

    def kill_all():
        for process in server.web.children():
            process.kill()

    def kill_master():
        for process in [server.web, *server.web.children()]:
            process.kill()

    return [reload, kill_all, kill_master]


def follow_through(server, run_id, attacks, gate):
    """Every event of the run, by a client that is cut off again and again and comes back."""
    import httpx

    seen = []
    while not seen or seen[-1]["type"] != "done":
        try:
            with server.client() as client:
                headers = {"Last-Event-ID": str(seen[-1]["n"])} if seen else {}
                url = f"/api/runs/{run_id}/events"
                with client.stream("GET", url, headers=headers) as reply:
                    for line in reply.iter_lines():
                        if not line.startswith("data: "):
                            continue
                        seen.append(json.loads(line[6:]))
                        if attacks and len(seen) > 3 and seen[-1]["type"] == "stdout":
                            attacks.pop(0)()
                            break
                        if "begun" in seen[-1].get("text", ""):
                            open(gate, "w").close()
        except (httpx.HTTPError, psutil.NoSuchProcess, ValueError):
            server.wait_ready()
    assert not attacks
    return seen


def test_a_killed_worker_ends_its_run_as_lost_with_all_its_processes(
    start_server, follow, nap, sleepers
):
    server = start_server()
    sleep = f"sleep {nap}"
    server.add(
        "Spreads",
        f"setsid {sleep} & env -i setsid {sleep} & ({sleep} &); print begun; {sleep}",
    )
    server.add("Next", "print next")
    with server.client() as client:
        run_id = begin(client, "Spreads.md")
        worker = server.worker
        worker.kill()

        events = list(follow(client, run_id))

        assert events[-1]["status"] == "lost"
        assert events[-1]["return_code"] == -1
        assert not sleepers()
        reply = client.post("/api/runbooks/Next.md/execute", headers={"Accept": "application/json"})
        assert reply.json()["stdout"] == "next\n"
        assert server.worker.pid != worker.pid
    one_history_entry(server, "Spreads.md", run_id)


@pytest.mark.one_database
def test_a_killed_supervisor_takes_worker_web_and_scripts_with_it(start_server, nap, sleepers):
    server = start_server()
    server.add("Spreads", f"setsid sleep {nap} & print begun; sleep {nap}")
    with server.client() as client:
        run_id = begin(client, "Spreads.md")
    children = server.process.children(recursive=True)
    server.process.kill()
    server.wait()

    gone, alive = psutil.wait_procs(children, timeout=PATIENCE_S)

    assert not alive
    assert not sleepers()
    server.start()
    with server.client() as client:
        assert client.get(f"/api/runs/{run_id}").json()["status"] in ("interrupted", "lost")
    one_history_entry(server, "Spreads.md", run_id)


@pytest.mark.one_database
def test_a_killed_script_is_a_failed_run(start_server, follow, nap, sleepers):
    server = start_server()
    server.add("Dies", f"print begun; sleep {nap}")
    with server.client() as client:
        run_id = begin(client, "Dies.md")
        (script,) = [p for p in server.worker.children(recursive=True) if p.name() == "zsh"]
        os.killpg(os.getpgid(script.pid), signal.SIGKILL)

        events = list(follow(client, run_id))

    assert events[-1]["status"] == "failed"
    assert events[-1]["return_code"] == -9
    assert not sleepers()


def test_queued_runs_survive_the_worker_and_run_once(start_server, follow):
    server = start_server(MAX_PARALLEL_RUNS=1)
    files = counted(server)
    server.add("Holds", "print begun; sleep 8181")
    with server.client() as client:
        first = begin(client, "Holds.md")
        waiting = [
            client.post(
                "/api/runbooks/Counts.md/execute",
                json={"env_vars": files},
                headers={"Prefer": "respond-async"},
            ).json()["run_id"]
            for _ in range(3)
        ]
        open(files["GATE"], "w").close()
        server.worker.kill()

        assert list(follow(client, first))[-1]["status"] == "lost"
        for run_id in waiting:
            assert list(follow(client, run_id))[-1]["status"] == "succeeded"
    with open(files["COUNTER"]) as counter:
        assert counter.read() == "counted\n" * 3


@pytest.mark.one_database
def test_a_drain_lets_scripts_end_and_takes_nothing_new(start_server):
    server = start_server(DRAIN_SECONDS=60, MAX_PARALLEL_RUNS=1)
    files = counted(server)
    with server.client() as client:
        run_id = begin(client, "Counts.md", **files)
        queued = client.post(
            "/api/runbooks/Counts.md/execute",
            json={"env_vars": files},
            headers={"Prefer": "respond-async"},
        ).json()["run_id"]
        server.process.send_signal(signal.SIGTERM)
        while client.get("/readyz").status_code == 200:
            pass
        open(files["GATE"], "w").close()
    assert server.wait() == 0

    one_history_entry(server, "Counts.md", run_id)
    server.start()
    with server.client() as client:
        assert client.get(f"/api/runs/{run_id}").json()["status"] == "succeeded"
        with client.stream("GET", f"/api/runs/{queued}/events") as reply:
            assert '"succeeded"' in list(reply.iter_lines())[-2]


@pytest.mark.one_database
def test_a_second_term_does_not_wait_for_scripts(start_server):
    server = start_server(DRAIN_SECONDS=600)
    server.add("Cut", "print begun; sleep 9191")
    with server.client() as client:
        run_id = begin(client, "Cut.md")
        server.process.send_signal(signal.SIGTERM)
        while client.get("/readyz").status_code == 200:
            pass
        server.process.send_signal(signal.SIGTERM)
    assert server.wait() == 0
    one_history_entry(server, "Cut.md", run_id)


@pytest.mark.one_database
def test_shutdown_over_http_is_graceful_and_for_admins_only(start_server):
    server = start_server()
    with server.client(roles=["sre"]) as client:
        assert client.post("/api/shutdown").status_code == 403
    with server.client(roles=["admin"]) as admin:
        reply = admin.post("/api/shutdown")
        assert reply.status_code == 200
        assert reply.json()["message"]
    assert server.wait() == 0


@pytest.mark.one_database
def test_a_server_with_a_bad_configuration_says_so_in_one_line_and_ends_with_78(start_server):
    server = start_server(JWT_SECRET="dev-secret-change-me", wait=False)

    assert server.wait() == 78
    assert len([line for line in server.log if "JWT_SECRET" in line]) == 1
    assert not any("Traceback" in line for line in server.log)


@pytest.mark.parametrize("attack", ["worker", "web"])
@pytest.mark.one_database
def test_a_server_that_was_idle_serves_again(start_server, attack):
    server = start_server()
    server.add("Quick", "print quick")
    process = getattr(server, attack)
    process.kill()
    process.wait(PATIENCE_S)
    server.wait_ready()
    with server.client() as client:
        reply = client.post(
            "/api/runbooks/Quick.md/execute", headers={"Accept": "application/json"}
        )
    assert reply.status_code == 200, reply.text
    assert reply.json()["stdout"] == "quick\n"


def test_a_script_that_outlived_all_of_the_engine_ends_before_its_lock_is_free(
    start_server, nap, sleepers
):
    server = start_server(ISOLATION="process")  # a sandbox ends with the worker
    locked = "# Policy\n```yaml\nlocks: only-one\n```"
    server.add("Slow", f"print begun; setsid sleep {nap} & sleep {nap}", claims="roles: sre")
    path = server.runbooks / "Slow.md"
    path.write_text(path.read_text().replace("# Script", f"{locked}\n\n# Script"))
    with server.client() as client:
        run_id = begin(client, "Slow.md")
    # The supervisor last: the kernel continues a stopped process whose parent ends.
    engine = [server.worker, *server.web.children(), server.web, server.process]
    for act in (psutil.Process.suspend, psutil.Process.kill):
        for process in engine:
            act(process)
    server.wait()
    assert sleepers()

    server.start()
    with server.client() as client:
        lost = client.get(f"/api/runs/{run_id}").json()
        while lost["status"] == "running":
            lost = client.get(f"/api/runs/{run_id}").json()
        assert lost["status"] == "lost"
        assert not sleepers()
        again = begin(client, "Slow.md")  # its lock is free
        client.post(f"/api/runs/{again}/cancel")
    assert not list(server.execution.glob(f"runbook-{run_id}"))
    one_history_entry(server, "Slow.md", run_id)


@pytest.mark.one_database
def test_stray_signals_end_nothing(start_server):
    server = start_server()
    files = counted(server)
    with server.client() as client:
        run_id = begin(client, "Counts.md", **files)
        before = [server.process, server.worker, server.web, *server.web.children()]
        for process, number in itertools.product(before, STRAY):
            process.send_signal(number)
        open(files["GATE"], "w").close()
        with client.stream("GET", f"/api/runs/{run_id}/events") as reply:
            assert '"succeeded"' in list(reply.iter_lines())[-2]
    after = [server.process, server.worker, server.web, *server.web.children()]
    assert after == before
