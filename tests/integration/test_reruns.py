"""Reruns and artifacts, over HTTP and a real worker."""

import hashlib
import textwrap

import pytest

from patience import PATIENCE_S

STEPPED = """\
# {name}

# Environment Requirements
```yaml
{inputs}
```

# File System Requirements
```yaml
Input:
```

# Policy
```yaml
{policy}
```

# Script

{script}
# History
"""


def add_stepped(server, name, script, *, inputs="", policy="{}"):
    text = STEPPED.format(name=name, inputs=inputs, policy=policy, script=textwrap.dedent(script))
    (server.runbooks / f"{name}.md").write_text(text)
    return f"{name}.md"


@pytest.fixture
def failed(server, client, execute, tmp_path):
    """A run whose second step failed; it does not where GO is given."""
    script = f"""
    ## One

    ```sh
    print one >> {tmp_path}/diary; print A=1 >> $RUNBOOK_ENV
    print "key=$TOKEN-x" >> $RUNBOOK_OUTPUT
    ```

    ### Undo

    ```sh
    print un-one-$A >> {tmp_path}/diary
    ```

    ## Two

    ```sh
    print two-$A >> {tmp_path}/diary; [[ -n $GO ]]
    ```
    """
    inputs = "GO: {type: string, optional: true}\nTOKEN: {type: secret}"
    ref = add_stepped(server, "Fails", script, inputs=inputs)
    return execute(client, ref, TOKEN="hunter22")


@pytest.fixture
def diary(tmp_path):
    def lines():
        path = tmp_path / "diary"
        found = path.read_text().splitlines()
        path.unlink()
        return found

    return lines


@pytest.fixture
def ask(client):
    """Ask for a run that follows; its `done`, or the problem."""

    def call(run, action, headers=None, **body):
        url = f"/api/runs/{run['run_id']}/{action}"
        return client.post(url, json=body, headers={"Accept": "application/json"} | (headers or {}))

    return call


GIVEN = {"TOKEN": "hunter22", "key": "hunter33"}


# -- retry, resume, undo -------------------------------------------------------------------------


def test_a_run_is_retried(failed, ask, diary, client):
    diary()
    done = ask(failed, "retry", env_vars={"TOKEN": "hunter22", "GO": "1"}, reason="OPS-1").json()

    assert done["success"], done
    assert diary() == ["one", "two-1"]
    run = client.get(f"/api/runs/{done['run_id']}").json()
    assert (run["relation"], run["related_id"], run["reason"]) == (
        "retry",
        failed["run_id"],
        "OPS-1",
    )
    followers = client.get(f"/api/runs/{failed['run_id']}").json()["followers"]
    named = {
        "runbook": run["runbook"],
        "name": run["name"],
        "active": False,
        "dry_run": False,
    }
    retry = {"id": run["id"], "relation": "retry", "status": "succeeded"}
    assert followers == [retry | named]
    related = client.get(f"/api/runs/{run['id']}").json()["related"]
    assert related == {"id": failed["run_id"], "status": "failed"} | named


def test_what_was_not_kept_has_to_be_given_again(failed, ask):
    done = ask(failed, "resume").json()

    assert done["status"] == "invalid"
    needed = {
        problem["params"]["variable"]: problem["hint"]
        for problem in done["problems"]
        if problem["code"] == "value_not_kept"
    }
    assert needed.keys() == {"TOKEN", "key"}
    hint = needed["key"]
    assert hint == "Give it in env_vars, or with --env key=... or --secret key=@FILE"


@pytest.mark.parametrize(
    ("body", "lines", "start"),
    [
        ({}, ["two-1"], 2),
        ({"from_step": "Two"}, ["two-1"], 2),
        ({"from_step": "1"}, ["one", "two-1"], 1),
    ],
)
def test_a_run_is_resumed(failed, ask, diary, client, body, lines, start):
    diary()
    given = {name: value for name, value in GIVEN.items() if start > 1 or name != "key"}
    done = ask(failed, "resume", env_vars=given | {"GO": "1"}, **body).json()

    assert done["success"], done
    assert diary() == lines
    run = client.get(f"/api/runs/{done['run_id']}").json()
    assert run["start_step"] == start
    assert [step["status"] for step in run["steps"]] == [
        *["restored"] * (start - 1),
        *["succeeded"] * (3 - start),
    ]


def test_a_run_is_undone(failed, ask, diary, client):
    diary()
    done = ask(failed, "undo", env_vars=GIVEN).json()

    assert done["success"], done
    assert diary() == ["un-one-1"]
    problem = ask(failed, "undo", env_vars=GIVEN)
    assert problem.status_code == 409
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert problem.json()["code"] == "conflict"
    assert [one["code"] for one in problem.json()["errors"]] == ["all_undone"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"from_step": 2}, 400),
        ({"from_step": ""}, 400),
        ({"from_step": "x" * 501}, 400),
        ({"from_step": "Three"}, 409),
        ({"from_step": "9" * 500}, 409),
    ],
)
def test_a_step_that_cannot_be_is_a_problem(failed, ask, body, status):
    assert ask(failed, "resume", **body).status_code == status


def test_a_changed_document_is_a_conflict_with_the_difference(failed, ask, server):
    path = server.runbooks / "Fails.md"
    path.write_text(path.read_text().replace("print A=1", "print A=2"))

    problem = ask(failed, "resume", env_vars=GIVEN)

    assert (problem.status_code, problem.json()["code"]) == (409, "document_changed")
    diff = problem.json()["diff"].split("\n")
    assert [line[0] for line in diff if "print A=" in line] == ["-", "+"]


@pytest.mark.parametrize("action", ["retry", "resume"])
def test_a_document_that_was_not_read_is_not_executed(failed, ask, server, client, action):
    before = client.get("/api/runbooks/Fails.md").json()["digest"]
    path = server.runbooks / "Fails.md"
    path.write_text(path.read_text().replace("print two", "print three"))

    problem = ask(failed, action, env_vars=GIVEN, digest=before)

    assert (problem.status_code, problem.json()["code"]) == (409, "document_changed")
    now = problem.json()["current_digest"]
    diff = problem.json()["diff"].split("\n")
    assert [line[0] for line in diff if "print t" in line] == ["-", "+"]
    assert client.get(f"/api/runs/{failed['run_id']}").json()["followers"] == []
    assert "run_id" in ask(failed, action, env_vars=GIVEN, digest=now).json()


def test_an_undo_is_by_the_document_that_ran_whatever_was_read(failed, ask, server, client):
    path = server.runbooks / "Fails.md"
    path.write_text(path.read_text().replace("print two", "print three"))

    told = client.get(f"/api/runs/{failed['run_id']}/undo").json()

    assert told == {"steps": [{"n": 1, "name": "One"}], "left": []}
    assert ask(failed, "undo", env_vars=GIVEN, digest="of-another").json()["success"]
    again = client.get(f"/api/runs/{failed['run_id']}/undo")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


@pytest.mark.parametrize("action", ["retry", "resume", "undo"])
def test_there_must_be_such_a_run(ask, action):
    assert ask({"run_id": "nothing"}, action).status_code == 404


@pytest.mark.parametrize("action", ["retry", "resume", "undo"])
def test_who_may_not_see_the_run_finds_none(server, action, execute, client):
    server.add("Guarded", "exit 1", claims="roles: sre")
    run = execute(client, "Guarded.md")
    with server.client("eve", roles=["guest"]) as eve:
        assert eve.post(f"/api/runs/{run['run_id']}/{action}", json={}).status_code == 404


def test_who_prefers_it_gets_only_the_id(failed, ask, client, follow):
    body = {"env_vars": {"TOKEN": "hunter22", "GO": "1"}}
    reply = ask(failed, "retry", headers={"Prefer": "respond-async"}, **body)

    assert reply.status_code == 202
    assert reply.headers["Preference-Applied"] == "respond-async"
    run_id = reply.json()["run_id"]
    assert reply.headers["X-Run-Id"] == run_id
    assert reply.headers["Location"] == f"/api/runs/{run_id}"
    assert list(follow(client, run_id))[-1]["status"] == "succeeded"


def test_without_a_preference_the_reply_is_a_stream(failed, client, parse_stream):
    url = f"/api/runs/{failed['run_id']}/retry"
    reply = client.post(url, json={"env_vars": {"TOKEN": "hunter22"}})
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    assert parse_stream(reply)[-1][0] == "done"


def test_a_key_is_good_for_one_request(failed, ask, execute, client):
    key = {"Idempotency-Key": f"k-{failed['run_id']}"}
    body = {"env_vars": {"TOKEN": "hunter22", "GO": "1"}}
    first = ask(failed, "retry", headers=key, **body)
    again = ask(failed, "retry", headers=key, **body)

    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["run_id"] == first.json()["run_id"]
    other = execute(client, "Fails.md", TOKEN="hunter22")
    for run, action in ((failed, "undo"), (failed, "resume"), (other, "retry")):
        values = GIVEN | {"GO": "1"} if action != "retry" else body["env_vars"]
        assert ask(run, action, headers=key, env_vars=values).status_code == 422


def test_a_script_follows_no_run(server, client, execute, failed):
    """Its token is for its own tree only."""
    server.add(
        "Follows",
        f"""
        curl -sS -o reply -w '%{{http_code}}' -X POST -H "$RUNBOOK_H_AUTH" -d '{{}}' \\
            "${{RUNBOOK_URL%/runbooks}}/runs/{failed["run_id"]}/retry"
        """,
    )
    done = execute(client, "Follows.md")
    assert done["stdout"] in ("403", "404"), done["stderr"] + str(done["errors"])


# -- artifacts -----------------------------------------------------------------------------------

CONTENT = b"".join(b"line %d\n" % n for n in range(1000))


@pytest.fixture(scope="module")
def kept(server):
    server.add(
        "Leaves",
        """
        cd $RUNBOOK_ARTIFACTS
        mkdir -p reports
        for i in {0..999}; do print "line $i"; done > reports/long.txt
        print -n x > $'odd "name" é;%2f.html'
        """,
    )
    with server.client() as client:
        headers = {"Accept": "application/json"}
        done = client.post("/api/runbooks/Leaves.md/execute", json={}, headers=headers).json()
    assert done["success"], done
    return f"/api/runs/{done['run_id']}/artifacts"


def test_the_files_of_a_run_are_listed(client, kept):
    listed = client.get(kept).json()["artifacts"]
    assert listed == [
        {
            "name": 'odd "name" é;%2f.html',
            "size": 1,
            "sha256": hashlib.sha256(b"x").hexdigest(),
        },
        {
            "name": "reports/long.txt",
            "size": len(CONTENT),
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
        },
    ]
    run = client.get(kept.removesuffix("/artifacts")).json()
    assert run["artifacts"] == listed


def test_a_file_is_downloaded_and_never_shown(client, kept):
    reply = client.get(f"{kept}/reports/long.txt")

    assert reply.content == CONTENT
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Content-Disposition"] == "attachment; filename*=UTF-8''long.txt"
    assert reply.headers["ETag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    odd = client.get(f"{kept}/odd%20%22name%22%20%C3%A9%3B%252f.html")
    assert odd.content == b"x"
    assert odd.headers["Content-Disposition"] == (
        "attachment; filename*=UTF-8''odd%20%22name%22%20%C3%A9%3B%252f.html"
    )


def test_a_part_of_a_file_is_downloaded(client, kept):
    url = f"{kept}/reports/long.txt"
    part = client.get(url, headers={"Range": "bytes=7-20"})

    assert (part.status_code, part.content) == (206, CONTENT[7:21])
    assert part.headers["Content-Range"] == f"bytes 7-20/{len(CONTENT)}"
    assert client.get(url, headers={"Range": "bytes=-5"}).content == CONTENT[-5:]
    assert client.get(url, headers={"Range": "bytes=99999999-"}).status_code == 416
    etag = part.headers["ETag"]
    assert client.get(url, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "reports",
        "reports/",
        "reports/../reports/long.txt",
        "..%2f..%2f..%2frunbook.db",
        "%2e%2e/%2e%2e/%2e%2e/runbook.db",
        "%2fetc%2fpasswd",
        "reports%2f..%2f..%2f..%2f..%2frunbook.db",
        "reports%00/long.txt",
    ],
)
def test_only_files_of_the_list_are_found(server, kept, name):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    headers = {"Authorization": f"Bearer {server.token()}"}
    try:  # by hand: httpx would tidy the path
        connection.request("GET", f"{kept}/{name}", headers=headers)
        assert connection.getresponse().status == 404
    finally:
        connection.close()


def test_a_file_that_is_gone_is_not_found(server, client, execute):
    server.add("Gone", "print x > $RUNBOOK_ARTIFACTS/a")
    run_id = execute(client, "Gone.md")["run_id"]
    (server.data / "artifacts" / run_id / "a").unlink()
    assert client.get(f"/api/runs/{run_id}/artifacts/a").status_code == 404


def test_files_are_for_those_who_may_see_the_run(server, client, execute):
    server.add("Private", "print x > $RUNBOOK_ARTIFACTS/a", claims="roles: sre")
    run_id = execute(client, "Private.md")["run_id"]
    with server.client("eve", roles=["guest"]) as eve:
        for path in ("", "/a"):
            assert eve.get(f"/api/runs/{run_id}/artifacts{path}").status_code == 404


# -- the tree ------------------------------------------------------------------------------------


def test_a_run_shows_the_runs_below_it_three_deep(server, client, execute):
    server.add("Leaf", "print leaf=1 >> $RUNBOOK_OUTPUT")
    server.add("Middle", "runbook call Leaf.md; runbook call Leaf.md")
    server.add("Top", "runbook call Middle.md > /dev/null")
    done = execute(client, "Top.md")
    assert done["success"], done

    top = client.get(f"/api/runs/{done['run_id']}").json()
    (middle,) = top["children"]
    leaves = middle["children"]

    assert (middle["runbook"], middle["parent_id"]) == ("Middle.md", top["id"])
    assert [(leaf["runbook"], leaf["parent_id"], leaf["children"]) for leaf in leaves] == [
        ("Leaf.md", middle["id"], [])
    ] * 2
    assert {leaf["root_id"] for leaf in leaves} == {top["id"]}
    # From within the tree, what is below is shown, not what is beside.
    assert client.get(f"/api/runs/{middle['id']}").json()["children"] == leaves
    assert client.get(f"/api/runs/{leaves[0]['id']}").json()["children"] == []


def test_a_caller_is_named_to_those_who_may_see_it(server, client, execute):
    server.add("Below", "true")
    server.add("Above", "runbook call Below.md > /dev/null", claims="roles: sre")
    done = execute(client, "Above.md")
    assert done["success"], done
    above = client.get(f"/api/runs/{done['run_id']}").json()
    (below,) = above["children"]
    assert above["parent"] is above["related"] is None

    named = {
        "id": above["id"],
        "runbook": "Above.md",
        "name": "Above",
        "status": "succeeded",
        "active": False,
        "dry_run": False,
    }
    assert client.get(f"/api/runs/{below['id']}").json()["parent"] == named
    with server.client("bob", roles=["viewer"]) as bob:
        assert bob.get(f"/api/runs/{below['id']}").json()["parent"] is None
