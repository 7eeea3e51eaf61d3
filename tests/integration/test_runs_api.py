"""Runs over HTTP: lists, who sees what, logs in every form, following, cancelling, the queue."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

ON_BOTH_DATABASES = True
WAITS = "print begun; while [[ ! -e $GATE ]]; do sleep 0.02; done"
LINES = "".join(f"line {n} é\n" for n in range(1, 41))


@pytest.fixture(scope="module")
def runbooks(server):
    server.add("Open", "print open")
    server.add("Sre", "print secret output", claims="roles: sre")
    server.add("Fails", "exit 3")
    server.add("Lines", 'for n in {1..40}; do print "line $n é"; done')
    server.add("Silent", "true")
    server.add("Waits", WAITS, inputs="GATE: file")


@pytest.fixture
def client(server, runbooks):
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def lines_run(server, runbooks):
    """The id of an ended run that printed LINES."""
    with server.client() as client:
        reply = client.post("/api/runbooks/Lines.md", json={})
        assert reply.json()["stdout"] == LINES
        return reply.json()["run_id"]


def submit(client, ref, env_vars=None, **headers):
    return client.post(
        f"/api/runbooks/{ref}/execute",
        json={"env_vars": env_vars or {}},
        headers={"Prefer": "respond-async", **headers},
    )


def begin(client, ref, **env_vars):
    """Submit a run and wait for its script's first line."""
    run_id = submit(client, ref, env_vars).json()["run_id"]
    with client.stream("GET", f"/api/runs/{run_id}/events") as events:
        for line in events.iter_lines():
            if '"begun' in line:
                return run_id
    raise AssertionError("the script did not begin")


def ids(reply):
    assert reply.status_code == 200, reply.text
    return [run["id"] for run in reply.json()["runs"]]


# -- what was executed ---------------------------------------------------------------------------


def test_the_document_that_was_executed_is_kept_as_it_was(server, client, execute):
    server.add("Changes", "print before")
    path = server.runbooks / "Changes.md"
    before = path.read_text().partition("# History")[0]
    run_id = execute(client, "Changes.md")["run_id"]
    digest = client.get(f"/api/runs/{run_id}").json()["digest"]

    def document():
        return client.get(f"/api/runs/{run_id}/document").json()

    kept = {"digest": digest, "content": before}
    assert document() == kept | {"changed": False, "current_digest": digest}
    path.write_text(path.read_text().replace("print before", "print after"))
    changed = document()
    assert changed["changed"] is True
    assert changed["content"] == before
    assert changed["current_digest"] == client.get("/api/runbooks/Changes.md").json()["digest"]
    path.unlink()
    assert document() == kept | {"changed": True, "current_digest": None}


# -- lists ---------------------------------------------------------------------------------------


def test_runs_are_filtered_by_runbook_status_person_and_time(server, client, execute):
    with server.client("filter-ann") as ann, server.client("filter-bob", roles=["viewer"]) as bob:
        opened = execute(ann, "Open.md")["run_id"]
        failed = execute(ann, "Fails.md")["run_id"]
        assert bob.post("/api/runbooks/Sre.md/execute", json={}).status_code == 403
        by_bob = execute(bob, "Open.md")["run_id"]
        since = ann.get(f"/api/runs/{failed}").json()["created_at"]

        def found(**query):
            return ids(ann.get("/api/runs", params=query))

        assert found(who="filter-ann") == [failed, opened]
        assert found(who="filter-ann", runbook="Open.md") == [opened]
        assert found(who="filter-ann", status="failed") == [failed]
        assert found(who="filter-ann", status="failed,succeeded") == [failed, opened]
        assert found(who="filter-ann", status="refused, timed_out") == []
        assert found(who="filter-bob", status="refused") != []
        assert found(who="filter-bob", runbook="Open.md") == [by_bob]
        assert found(who="filter-ann", since=since) == [failed]
        assert found(who="filter-ann", since=since.replace("Z", "+00:00")) == [failed]
        assert found(who="filter-ann", since="2999-01-01") == []
        assert found(who="filter-ann", until=since) == [opened]
        assert found(who="filter-ann", runbook=["Open.md", "Fails.md"]) == [failed, opened]
        assert found(who="filter-ann", q="FAILS") == [failed]
        assert found(who="filter-ann", q=opened) == [opened]
        assert found(id=[failed, by_bob, "no such run"]) == [by_bob, failed]
        assert found(id=[failed, by_bob], status="succeeded") == [by_bob]
        assert found(who="filter-ann", dry_run="true") == []
        assert found(who="filter-ann", dry_run="false") == [failed, opened]
        assert found(who="filter-ann", active="true") == []
        assert found(who="filter-ann", active="false") == [failed, opened]
        retried = ann.post(f"/api/runs/{failed}/retry", headers={"Prefer": "respond-async"})
        assert found(who="filter-ann", relation="retry") == [retried.json()["run_id"]]
        assert found(who="filter-ann", relation="undo") == []
        assert found(who="nobody") == found(runbook="No.md") == []


@pytest.mark.parametrize(
    "query",
    ["status=odd", "since=yesterday", "limit=-1", "limit=1e3", "limit=٣", "cursor=!", "cursor=AAAA",
     "cursor=", "limit=0", "limit=201",
     "limit=" + "9" * 3000, "since=9999-99-99", "until=soon", "relation=parent",
     "dry_run=yes", "active=1"],
)  # fmt: skip
def test_a_filter_that_is_not_understood_is_400(client, query):
    reply = client.get(f"/api/runs?{query}")

    assert reply.status_code == 400
    assert reply.json()["code"] == "bad_request"


@pytest.mark.parametrize(
    "query",
    [
        "runbook=%00",
        "input=%00",
        "input=A%3D",
        "who=%ED%A0%80",
        "who='%20OR%201=1",
        "since=0001-01-01",
        "q=%25",
        "q=%00",
        "runbook=&runbook=",
    ],
)
def test_odd_filters_find_nothing_rather_than_fail(client, query):
    assert client.get(f"/api/runs?{query}").status_code == 200


def test_pages_follow_one_another_while_runs_are_added(server, client, execute):
    with server.client("pager") as pager:
        made = [execute(pager, "Silent.md")["run_id"] for _ in range(7)]
        seen, url = [], "/api/runs?who=pager&limit=3"
        while url:
            reply = pager.get(url)
            page = ids(reply)
            assert len(page) <= 3
            seen += page
            made.append(execute(pager, "Silent.md")["run_id"])
            link = reply.headers.get("link", "")
            assert bool(link) is bool(reply.json()["next_cursor"])
            url = link.partition(">")[0][1:] if link.endswith('; rel="next"') else None

    assert seen == made[6::-1]


def test_a_page_holds_at_most_200_runs(server, client):
    with server.client("many", roles=["viewer"]) as many:
        for _ in range(202):  # refusals are the cheapest runs there are
            many.patch("/api/runbooks/Sre.md/validate")
        reply = many.get("/api/runs?who=many&limit=200")
        assert len(ids(reply)) == 200
        assert reply.json()["next_cursor"]
        assert len(ids(many.get("/api/runs?who=many"))) == 50


# -- who sees what ---------------------------------------------------------------------------------

ROUTES = [
    ("GET", ""),
    ("GET", "/events"),
    ("GET", "/log"),
    ("GET", "/log?q=secret"),
    ("GET", "/log?from=1"),
    ("HEAD", "/log"),
    ("POST", "/cancel"),
]


def test_a_run_of_another_is_not_found_by_any_route(server, client, execute):
    """J13: the caller cannot execute the runbook, so its runs do not exist for them."""
    run_id = execute(client, "Sre.md")["run_id"]
    with server.client("mallory", roles=["viewer"]) as mallory:
        for method, path in ROUTES:
            foreign = mallory.request(method, f"/api/runs/{run_id}{path}")
            missing = mallory.request(method, f"/api/runs/no-such-run{path}")
            assert foreign.status_code == missing.status_code == 404, (method, path)
            if method != "HEAD":
                assert foreign.json()["detail"] == missing.json()["detail"]
            assert run_id not in foreign.headers.get("location", "")
        for query in ("", "?runbook=Sre.md", "?who=ann", "?status=succeeded&limit=200"):
            assert run_id not in ids(mallory.get(f"/api/runs{query}"))
        (listed,) = [
            item
            for item in mallory.get("/api/runbooks").json()["runbooks"]
            if item["filename"] == "Sre.md"
        ]
        assert listed["last_run"] is None
        assert run_id not in mallory.get("/api/runbooks/Sre.md").text
    with server.client("carol") as carol:  # has the claims, but did not start it
        assert carol.get(f"/api/runs/{run_id}").json()["by"] == "ann"
        assert run_id in ids(carol.get("/api/runs?runbook=Sre.md"))


def test_who_started_a_run_sees_it_without_the_claims(server, client):
    with server.client("starter", roles=["viewer"]) as starter:
        assert starter.post("/api/runbooks/Sre.md/execute", json={}).status_code == 403
        (run_id,) = ids(starter.get("/api/runs?who=starter"))
        run = starter.get(f"/api/runs/{run_id}").json()

    assert run["status"] == "refused"
    assert run["return_code"] == 403
    assert run["errors"]


def test_a_script_sees_its_own_tree_only(server, client, execute):
    other = execute(client, "Open.md")["run_id"]
    server.add(
        "Sees",
        """
        api=${RUNBOOK_URL%/runbooks}
        ask() { curl -s -o reply -w '%{http_code}\\n' -H "$RUNBOOK_H_AUTH" "$@" }
        ask -X POST "$api/runbooks/Open.md" || exit 9
        child=$(grep -o '"run_id": "[^"]*"' reply | cut -d'"' -f4)
        for id in $RUNBOOK_RUN_ID $child $OTHER; do
            for part in "" /log '/log?q=open'; do ask "$api/runs/$id$part"; done
        done
        ask -X POST "$api/runs/$OTHER/cancel"
        curl -s -H "$RUNBOOK_H_AUTH" "$api/runs"
        """,
        inputs="OTHER: run",
    )

    result = execute(client, "Sees.md", OTHER=other)

    assert result["return_code"] == 0, result
    *codes, listed = result["stdout"].splitlines()
    assert codes == ["200"] * 7 + ["404"] * 3 + ["403"]
    runs = json.loads(listed)["runs"]
    assert runs[0]["parent_id"] == result["run_id"]
    assert [run["id"] for run in runs][1:] == [result["run_id"]]
    assert {run["root_id"] or run["id"] for run in runs} == {result["run_id"]}


def test_a_run_names_its_children(server, client, execute):
    server.add(
        "Calls",
        """
        eval "headers=($RUNBOOK_HEADERS)"
        curl -sf "${headers[@]}" --data-raw '{}' "$RUNBOOK_URL/Open.md/execute" > /dev/null
        curl -sf "${headers[@]}" --data-raw '{}' "$RUNBOOK_URL/Fails.md/execute" > /dev/null
        """,
    )
    parent = client.get(f"/api/runs/{execute(client, 'Calls.md')['run_id']}").json()

    assert [child["runbook"] for child in parent["children"]] == ["Open.md", "Fails.md"]
    assert [child["status"] for child in parent["children"]] == ["succeeded", "failed"]
    for child in parent["children"]:
        assert client.get(f"/api/runs/{child['id']}").json()["parent_id"] == parent["id"]


# -- logs ------------------------------------------------------------------------------------------


def test_the_log_is_plain_text(client, lines_run):
    reply = client.get(f"/api/runs/{lines_run}/log")

    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.text == LINES
    assert len(reply.content) == client.get(f"/api/runs/{lines_run}").json()["log_bytes"]


def test_head_says_how_large_the_log_is(client, lines_run):
    reply = client.head(f"/api/runs/{lines_run}/log", headers={"Range": "bytes=0-1"})

    assert reply.status_code == 200  # RFC 9110: ranges are for GET only
    assert reply.headers["content-length"] == str(len(LINES.encode()))
    assert not reply.content


SIZE = len(LINES.encode())


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-", 0, SIZE - 1),
        ("bytes=5-10", 5, 10),
        ("bytes=5-99999999", 5, SIZE - 1),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE - 1),
        ("bytes=-7", SIZE - 7, SIZE - 1),
        ("bytes=-99999999", 0, SIZE - 1),
        ("Bytes=1-2", 1, 2),
    ],
)
def test_a_range_of_bytes(client, lines_run, asked, first, last):
    reply = client.get(f"/api/runs/{lines_run}/log", headers={"Range": asked})

    assert reply.status_code == 206
    assert reply.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert reply.headers["content-length"] == str(last - first + 1)
    assert reply.content == LINES.encode()[first : last + 1]


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0"])
def test_a_range_beyond_the_log_is_416_and_says_its_size(client, lines_run, asked):
    reply = client.get(f"/api/runs/{lines_run}/log", headers={"Range": asked})

    assert reply.status_code == 416
    assert reply.headers["content-range"] == f"bytes */{SIZE}"
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["code"] == "requested_range_not_satisfiable"


@pytest.mark.parametrize(
    "asked",
    ["bytes=5-2", "bytes=-", "bytes=a-b", "lines=0-5", "bytes=0-1,3-4", "bytes", "", "bytes=0-1-2",
     "bytes=" + "9" * 5000 + "-", "bytes=-" + "9" * 5000, "bytes= 0-5", "bytes=+1-2"],
)  # fmt: skip
def test_a_range_that_is_not_understood_is_ignored(client, lines_run, asked):
    reply = client.get(f"/api/runs/{lines_run}/log", headers={"Range": asked})

    assert reply.status_code == 200
    assert reply.text == LINES


def test_if_range_never_holds_since_a_log_has_no_validator(client, lines_run):
    headers = {"Range": "bytes=0-1", "If-Range": '"some-etag"'}
    assert client.get(f"/api/runs/{lines_run}/log", headers=headers).status_code == 200


@pytest.mark.parametrize("step", [1, 7, 64, 100_000])
def test_ranges_join_to_the_log(client, lines_run, step):
    """Also where they cut a character of several bytes."""
    url, pieces = f"/api/runs/{lines_run}/log", []
    until = min(SIZE, 60 * step)
    for start in range(0, until, step):
        headers = {"Range": f"bytes={start}-{start + step - 1}"}
        pieces.append(client.get(url, headers=headers).content)

    assert b"".join(pieces) == LINES.encode()[: sum(map(len, pieces))]
    assert sum(map(len, pieces)) >= until


def test_an_empty_log(client, execute):
    url = f"/api/runs/{execute(client, 'Silent.md')['run_id']}/log"

    assert client.get(url).content == b""
    assert client.get(url, headers={"Range": "bytes=0-"}).status_code == 416
    assert client.get(f"{url}?from=1").content == b""
    assert client.get(f"{url}?q=x").json() == {"query": "x", "count": 0, "hits": []}


def test_lines_of_the_log_as_json_lines(client, lines_run):
    reply = client.get(f"/api/runs/{lines_run}/log?from=39&lines=5")

    assert reply.headers["content-type"] == "application/x-ndjson"
    assert reply.headers["x-log-lines"] == "40"
    lines = [json.loads(line) for line in reply.text.splitlines()]
    assert [(line["line"], line["text"]) for line in lines] == [
        (39, "line 39 é"),
        (40, "line 40 é"),
    ]
    assert lines[0]["stream"] == "stdout"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", lines[0]["at"])
    every = client.get(f"/api/runs/{lines_run}/log?from=0").text.splitlines()
    assert [json.loads(line)["line"] for line in every] == list(range(1, 41))
    assert client.get(f"/api/runs/{lines_run}/log?from=41").text == ""
    assert client.get(f"/api/runs/{lines_run}/log?lines=0").text == ""
    assert client.get(f"/api/runs/{lines_run}/log?from=x").status_code == 400


@pytest.mark.parametrize(
    ("query", "count"),
    [("LINE 7", 1), ("line 3", 11), ("É", 40), ("%", 0), ("_", 0), ("nothing", 0), ("\n", 0)],
)
def test_a_search_of_the_log_counts_the_lines_with_a_hit(client, lines_run, query, count):
    reply = client.get(f"/api/runs/{lines_run}/log", params={"q": query, "limit": 5}).json()

    assert reply["query"] == query
    assert reply["count"] == count
    assert len(reply["hits"]) == min(count, 5)
    assert all(query.lower() in hit["text"].lower() for hit in reply["hits"])


def test_a_search_by_a_pattern(client, lines_run):
    def search(**query):
        return client.get(f"/api/runs/{lines_run}/log", params={"regex": "true", **query}).json()

    found = search(q="LINE [12]?[05] É$", skip=2, limit=2)
    assert (found["count"], [hit["line"] for hit in found["hits"]]) == (5, [15, 20])
    refused = search(q="line (")
    assert refused["status"] == 400
    assert refused["detail"] == "Invalid regular expression: missing ): line ("


def test_hits_as_json_lines_come_before_their_count(client, lines_run):
    headers = {"Accept": "application/x-ndjson"}
    reply = client.get(f"/api/runs/{lines_run}/log?q=line&skip=38&limit=9", headers=headers)

    assert reply.headers["content-type"] == "application/x-ndjson"
    *hits, last = [json.loads(line) for line in reply.text.splitlines()]
    assert ([hit["line"] for hit in hits], last) == ([39, 40], {"count": 40})


@pytest.mark.parametrize("query", ["q=", "q=x&regex=perhaps", "q=x&skip=-1", "skip=x"])
def test_a_search_that_is_not_understood_is_400(client, lines_run, query):
    assert client.get(f"/api/runs/{lines_run}/log?{query}").status_code == 400


# -- following -------------------------------------------------------------------------------------


def test_events_resume_after_any_number(client, lines_run, parse_stream):
    whole = parse_stream(client.get(f"/api/runs/{lines_run}/events"))
    assert [n for _, _, n in whole] == list(range(1, len(whole) + 1))
    assert whole[-1][0] == "done"

    for n in range(len(whole)):
        url = f"/api/runs/{lines_run}/events"
        by_header = client.get(url, headers={"Last-Event-ID": str(n)})
        assert parse_stream(by_header) == whole[n:]
        assert parse_stream(client.get(f"{url}?after={n}")) == whole[n:]


def test_a_client_that_has_seen_the_end_is_let_go(client, lines_run):
    last = client.get(f"/api/runs/{lines_run}").json()["last_event"]
    for after in (last, last + 100):
        url = f"/api/runs/{lines_run}/events"
        by_query = client.get(f"{url}?after={after}")
        by_header = client.get(url, headers={"Last-Event-ID": str(after)})
        for reply in (by_query, by_header):
            assert reply.status_code == 204, "an EventSource reconnects after any other reply"
            assert reply.content == b""


@pytest.mark.parametrize("odd", ["", "x", "-1", "٣", "9" * 30])
def test_an_odd_last_event_id_is_refused(client, lines_run, odd):
    headers = {"Last-Event-ID": odd.encode()}
    reply = client.get(f"/api/runs/{lines_run}/events", headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (400, "bad_request")


def test_the_stream_says_when_to_come_back_and_passes_proxies(client, lines_run):
    reply = client.get(f"/api/runs/{lines_run}/events")

    assert reply.text.startswith("event: queued\nid: 1\nretry: 1000\ndata: ")
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.headers["x-accel-buffering"] == "no"


def test_events_after_the_end_of_the_stream_do_not_come(server, client, follow):
    gate = server.folder / "followed"
    run_id = begin(client, "Waits.md", GATE=str(gate))
    seen = []
    for event in follow(client, run_id):
        seen.append(event["type"])
        gate.touch()

    assert seen[-1] == "done"
    assert seen.count("done") == 1


# -- asking once, asking too much, asking for the end ----------------------------------------------


def test_fifty_requests_with_one_key_make_one_run(server, client):
    counter = server.folder / "counter"
    server.add("Counts", "print counted >> $COUNTER; print counted", inputs="COUNTER: file")

    def ask(_):
        with server.client("once") as once:
            return once.post(
                "/api/runbooks/Counts.md/execute",
                json={"env_vars": {"COUNTER": str(counter)}},
                headers={"Idempotency-Key": "only-one", "Accept": "application/json"},
            )

    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(ask, range(50)))

    assert {reply.status_code for reply in replies} == {200}
    assert len({reply.headers["x-run-id"] for reply in replies}) == 1
    assert sum("idempotent-replayed" not in reply.headers for reply in replies) == 1
    assert {reply.json()["stdout"] for reply in replies} == {"counted\n"}
    assert counter.read_text() == "counted\n"


def test_a_key_is_one_callers_own(server, client, execute):
    key = {"Idempotency-Key": "shared"}
    with server.client("key-ann", **key) as ann, server.client("key-bob", **key) as bob:
        assert execute(ann, "Open.md")["run_id"] != execute(bob, "Open.md")["run_id"]


@pytest.mark.parametrize("given", ["", "x y", "x" * 129, "a;b"])
def test_a_malformed_correlation_id_is_replaced_in_the_run_too(client, given):
    reply = submit(client, "Silent.md", **{"X-Correlation-Id": given})

    run = client.get(reply.headers["location"]).json()
    assert run["correlation_id"] == reply.headers["x-correlation-id"] != given


@pytest.fixture(scope="module")
def small(serve, tmp_path_factory):
    """A server with one slot and room for two that wait."""
    folder = tmp_path_factory.mktemp("small")
    with serve(folder, MAX_PARALLEL_RUNS=1, MAX_QUEUED_RUNS=2) as server:
        server.add("Holds", WAITS, inputs="GATE: file")
        server.add("Touches", "touch $FILE", inputs="FILE: file")
        yield server


def test_a_queued_run_that_is_cancelled_never_starts_and_frees_its_place(small, follow):
    with small.client() as client:
        gate, file = small.folder / "gate-1", small.folder / "touched"
        holder = begin(client, "Holds.md", GATE=str(gate))
        queued = submit(client, "Touches.md", {"FILE": str(file)}).json()["run_id"]
        assert client.get(f"/api/runs/{queued}").json()["status"] == "queued"

        assert client.post(f"/api/runs/{queued}/cancel").status_code == 202
        done = list(follow(client, queued))[-1]  # ends although the slot is still taken

        assert done["status"] == "cancelled"
        assert client.get(f"/api/runs/{holder}").json()["status"] == "running"
        metrics = client.get("/metrics").text
        assert "runbook_queue_depth 0.0" in metrics
        gate.touch()
        assert list(follow(client, holder))[-1]["status"] == "succeeded"
    assert not file.exists()
    history = (small.runbooks / "Touches.md").read_text().partition("# History")[2]
    assert history.count(f"run={queued} ") == 1


def test_a_full_queue_is_503_and_the_attempt_is_recorded(small, follow):
    with small.client("crowd") as client:
        gate = small.folder / "gate-2"
        holder = begin(client, "Holds.md", GATE=str(gate))
        waiting = [
            submit(client, "Touches.md", {"FILE": "/dev/null"}).json()["run_id"] for _ in range(2)
        ]

        reply = submit(client, "Touches.md", {"FILE": "/dev/null"})

        assert reply.status_code == 503
        assert reply.json()["code"] == "queue_full"
        assert int(reply.headers["retry-after"]) > 0
        (refused,) = client.get("/api/runs?who=crowd&status=refused").json()["runs"]
        assert refused["return_code"] == 503
        assert refused["errors"] == [reply.json()["detail"]]
        gate.touch()
        for run_id in (holder, *waiting):
            assert list(follow(client, run_id))[-1]["status"] == "succeeded"
        assert submit(client, "Touches.md", {"FILE": "/dev/null"}).status_code == 202


def test_cancelling_twice_and_after_the_end_changes_nothing(server, client, follow):
    run_id = begin(client, "Waits.md", GATE="/nowhere/at/all")
    with server.client("dora") as dora, ThreadPoolExecutor(4) as pool:
        barrier = threading.Barrier(4)

        def cancel(who):
            barrier.wait()
            return who.post(f"/api/runs/{run_id}/cancel").status_code

        codes = set(pool.map(cancel, [client, dora, client, dora]))
    assert codes <= {200, 202}
    end = list(follow(client, run_id))[-1]

    reply = client.post(f"/api/runs/{run_id}/cancel")

    assert reply.status_code == 200
    assert reply.json()["status"] == end["status"] == "cancelled"
    assert end["errors"] in (["Cancelled by ann"], ["Cancelled by dora"])
