"""The list of runs: alive, filtered by its address, in pages; and two runs compared."""

import re

import pytest
from playwright.sync_api import expect

VIEWS = {
    "light": ({"width": 1280, "height": 800}, "light"),
    "dark": ({"width": 1280, "height": 800}, "dark"),
    "phone": ({"width": 390, "height": 844}, "light"),
}
RUNBOOK = """\
# {title}

# Environment Requirements
```yaml
HOST:
  label: Target host
  description: Where it is installed.
  type: string
GO:
  description: A file to wait for.
  type: string
  default: ""
```

# File System Requirements
```yaml
```
{policy}
# Script
```sh
until [[ -z $GO || -e $GO ]]; do sleep 0.05; done
print "installed on $HOST"
print "host=$HOST" >> $RUNBOOK_OUTPUT
print "version={version}" >> $RUNBOOK_OUTPUT
```

# History
"""
LOCK = """
# Policy
```yaml
locks: host:${HOST}
```
"""


# The list of runbooks is asked for again every 30 seconds in any case: here it is not.
NO_LONG_TIMERS = """
    for (const name of ['setTimeout', 'setInterval']) {
        const set = window[name]
        window[name] = (work, ms, ...more) => set(work, ms >= 20000 ? 2 ** 31 - 1 : ms, ...more)
    }
"""


@pytest.fixture
def install(server):
    """Write a runbook of this version; its ref."""

    def call(name, version="1", policy=""):
        text = RUNBOOK.format(title=name, version=version, policy=policy)
        (server.runbooks / f"{name}.md").write_text(text)
        return f"{name}.md"

    return call


@pytest.fixture
def start():
    """Start a run as any other client does; its id."""

    def call(client, ref, reason=None, **env_vars):
        reply = client.post(
            f"/api/runbooks/{ref}/execute",
            json={"env_vars": env_vars, "reason": reason},
            headers={"Prefer": "respond-async"},
        )
        assert reply.status_code == 202, reply.text
        return reply.json()["run_id"]

    return call


@pytest.fixture
def finish(start):
    """Start a run and wait for its end; its id."""

    def call(client, ref, reason=None, **env_vars):
        run_id = start(client, ref, reason, **env_vars)
        with client.stream("GET", f"/api/runs/{run_id}/events") as reply:
            reply.read()
        return run_id

    return call


def end_all(client):
    """Cancels what goes on, and waits until it has ended."""
    for run in client.get("/api/runs?active=true&limit=200").json()["runs"]:
        client.post(f"/api/runs/{run['id']}/cancel").raise_for_status()
        with client.stream("GET", f"/api/runs/{run['id']}/events") as reply:
            reply.read()


@pytest.fixture
def contend(server, install, start, wait_for, tmp_path):
    """
    Starts two runs of a runbook for one lock, while nothing else goes on: the first has it, the
    second waits for it. Answers what lets the first end, and waits for the end of both.
    """
    with server.client() as client:
        end_all(client)

        def call(name, host):
            ref, go = install(name, policy=LOCK), tmp_path / "go"
            first = start(client, ref, "first", HOST=host, GO=str(go))
            wait_for(first, lambda run: run["status"] == "running")
            second = start(client, ref, "second", HOST=host)
            wait_for(second, lambda run: run["status"] == "waiting")

            def release():
                go.touch()
                for run_id in (first, second):
                    assert wait_for(run_id)["success"]

            return release

        yield call
        end_all(client)


@pytest.fixture(params=VIEWS)
def view(request, open_page, picture, check_accessibility):
    viewport, scheme = VIEWS[request.param]

    def open_(path):
        return open_page(path, viewport=viewport, scheme=scheme)

    def look(page, name):
        picture(page, f"{name}-{request.param}")
        check_accessibility(page)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{name} is {wide} pixels too wide"

    return open_, look


def row(page, text):
    return (
        page.get_by_role("region", name="Runs", exact=True).get_by_role("row").filter(has_text=text)
    )


def test_a_run_of_another_client_appears_by_itself(
    server, install, start, tmp_path, open_page, sign_in
):
    ref, go = install("Appears"), tmp_path / "go"
    page = sign_in(open_page("/runs?runbook=Appears.md"))
    expect(page.get_by_text("No matching runs")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    with server.client() as client:
        start(client, ref, HOST="web1", GO=str(go))
        expect(row(page, "Appears.md").get_by_text("Running")).to_be_visible()
        go.touch()
        expect(row(page, "Appears.md").get_by_text("Succeeded")).to_be_visible()


def test_the_runbooks_tell_of_a_run_too(server, install, finish, open_page, sign_in):
    ref = install("Told")
    page = open_page("/")
    page.add_init_script(NO_LONG_TIMERS)
    page.goto("/runbooks?q=told.md")
    sign_in(page)
    expect(page.get_by_text("Never run", exact=True)).to_be_visible()
    with server.client() as client:
        finish(client, ref, HOST="web1")
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()


def test_what_waits_says_why(contend, view, sign_in):
    release = contend("Locked", "db7")
    open_, look = view
    page = sign_in(open_("/runs"))
    expect(page.get_by_role("heading", name="Active runs")).to_be_visible()
    waits = row(page, "Waiting for lock host:db7, held by Locked.md")
    expect(waits).to_contain_text(re.compile(r"\) for \d+ s"))
    # The table has the runs: above it, only their number.
    active = page.locator("section", has=page.get_by_role("heading", name="Active runs"))
    expect(active.get_by_role("link")).to_have_text(["1 running", "1 waiting"])
    look(page, "runs-going-on")
    release()
    expect(page.get_by_role("heading", name="Active runs")).to_be_hidden()


def test_the_address_holds_the_filter(server, install, finish, open_page, sign_in):
    ref = install("Filtered")
    with server.client("filter-ann") as ann, server.client("filter-bob") as bob:
        finish(ann, ref, "the first ticket", HOST="a")
        finish(bob, ref, "the second ticket", HOST="b")
        ann.post(f"/api/runbooks/{ref}/execute", json={}).raise_for_status()
    page = sign_in(open_page("/runs?runbook=Filtered.md"))
    expect(row(page, "Filtered.md")).to_have_count(3)

    page.get_by_role("searchbox").fill("second")
    expect(page).to_have_url(re.compile("q=second"))
    expect(row(page, "Filtered.md")).to_have_count(1)
    page.reload()
    expect(row(page, "filter-bob")).to_have_count(1)
    page.get_by_role("searchbox").fill("")
    expect(row(page, "Filtered.md")).to_have_count(3)

    page.get_by_role("button", name="Filters").click()
    page.get_by_role("textbox", name="Input value").fill("HOST=b")
    expect(page).to_have_url(re.compile("input=HOST(=|%3D)b"))
    expect(row(page, "HOST=b")).to_have_count(1)
    expect(row(page, "Filtered.md")).to_have_count(1)
    page.get_by_role("textbox", name="Input value").fill("")
    page.get_by_role("button", name="Last hour").click()
    expect(page).to_have_url(re.compile("since=1h"))
    expect(row(page, "Filtered.md")).to_have_count(3)
    page.get_by_role("textbox", name="Requested by").fill("filter-ann")
    expect(row(page, "Filtered.md")).to_have_count(2)
    page.get_by_role("combobox", name="Status").press("ArrowDown")
    page.get_by_role("option", name="Invalid").click()
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("status=invalid"))
    expect(row(page, "Filtered.md")).to_have_count(1)
    page.get_by_role("button", name="Clear", exact=True).click()
    expect(page).to_have_url(re.compile("/runs$"))


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("since=2100-01-01T00:00:00Z", 0),
        ("since=24h", 1),
        ("input=HOST=a", 1),
        ("input=HOST=other", 0),
        ("until=2100-01-01T00:00:00Z", 1),
        ("until=2020-01-01T00:00:00Z", 0),
        ("dry_run=true", 0),
        ("dry_run=false", 1),
        ("relation=undo", 0),
        ("active=true", 0),
        ("active=false", 1),
        ("who=link-ann", 1),
        ("who=someone-else", 0),
        ("status=failed,succeeded", 1),
    ],
)
def test_every_filter_works_as_a_link(server, install, finish, open_page, sign_in, query, count):
    if not (server.runbooks / "Linked.md").exists():
        with server.client("link-ann") as client:
            finish(client, install("Linked"), HOST="a")
    page = sign_in(open_page(f"/runs?runbook=Linked.md&{query}"))
    if count:
        expect(row(page, "Linked.md")).to_have_count(count)
    else:
        expect(page.get_by_text("No matching runs")).to_be_visible()
    expect(page).to_have_url(re.compile(re.escape(query) + "$"))


@pytest.mark.parametrize(
    ("zone", "label", "typed"),
    [("local", "Berlin time", "2026-01-23T15:33"), ("utc", "UTC", "2026-01-23T14:33")],
)
def test_filters_by_time_are_in_the_zone_that_was_chosen(open_page, sign_in, zone, label, typed):
    page = sign_in(open_page("/runs?since=2026-01-23T14:33:00Z", zone="Europe/Berlin"))
    page.get_by_role("button", name="Account menu of").click()
    page.get_by_role("radio", name="Local" if zone == "local" else "UTC").check()
    page.keyboard.press("Escape")
    expect(page.get_by_label(f"Since ({label})")).to_have_value(typed)
    page.get_by_label(f"Until ({label})").fill("2026-01-24T12:00")
    hour = "11" if zone == "local" else "12"
    expect(page).to_have_url(re.compile(f"until=2026-01-24T{hour}:00:00Z"))


def test_times_name_their_zone(server, install, finish, open_page, sign_in):
    ref = install("Zoned")
    with server.client() as client:
        finish(client, ref, HOST="a")
    page = sign_in(open_page(f"/runs?runbook={ref}", zone="Europe/Berlin"))
    title = row(page, ref).locator("time").first.get_attribute("title")
    assert re.fullmatch(r"\S+ \S+ GMT\+[12] \(\S+Z\)", title)


def test_a_phone_counts_what_goes_on(contend, open_page, sign_in):
    contend("Counted", "db8")
    page = sign_in(open_page("/runs", viewport=VIEWS["phone"][0]))
    going = page.locator("section", has=page.get_by_role("heading", name="Active runs"))
    expect(going.get_by_role("link")).to_have_text(["1 running", "1 waiting"])
    assert going.bounding_box()["height"] < 60
    going.get_by_role("link", name="1 waiting").click()
    expect(page).to_have_url(re.compile("status=waiting"))
    expect(row(page, "Counted.md")).to_have_count(1)


def test_the_form_says_before_a_run_that_a_lock_is_held(
    contend, open_page, sign_in, picture, check_accessibility
):
    release = contend("Held", "db9")
    page = sign_in(open_page("/execute/Held.md"))
    host = page.get_by_label("Target host")
    host.fill("db9")
    notice = page.get_by_role("status").filter(has_text="Lock host:db9 is held by Held.md")
    expect(notice).to_contain_text(re.compile(r"for \d+ s"))
    expect(notice.get_by_role("link")).to_have_attribute("href", re.compile("^/run/"))
    expect(page.locator(".field").first).to_contain_text(re.compile("Target host.*HOST"))
    picture(page, "execute-lock")
    check_accessibility(page)
    host.fill("free")
    expect(notice).to_be_hidden()
    host.fill("db9")
    expect(notice).to_be_visible()
    release()
    expect(notice).to_be_hidden()


def test_a_filter_that_the_server_refuses_is_an_error(
    open_page, sign_in, guard, check_accessibility
):
    guard.allow("400")
    page = sign_in(open_page("/runs?status=nonsense"))
    expect(page.get_by_role("alert")).to_contain_text("nonsense")
    check_accessibility(page)
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    page.get_by_role("button", name="Clear filters", exact=True).click()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_older_runs_come_in_pages(server, install, open_page, sign_in):
    ref = install("Many")
    with server.client("pages-ann") as client:
        for _ in range(53):  # invalid ones: no script is started for them
            client.post(f"/api/runbooks/{ref}/execute", json={}).raise_for_status()
        page = sign_in(open_page("/runs?who=pages-ann"))
        expect(row(page, "Many.md")).to_have_count(50)
        page.get_by_role("button", name="Load more").click()
        expect(row(page, "Many.md")).to_have_count(53)
        expect(page.get_by_role("button", name="Load more")).to_be_hidden()
        # What comes meanwhile does not take them away.
        client.post(f"/api/runbooks/{ref}/execute", json={}).raise_for_status()
        expect(row(page, "Many.md")).to_have_count(54)


def test_an_older_run_that_ends_says_so(server, install, start, tmp_path, open_page, sign_in):
    ref, go = install("Older"), tmp_path / "go"
    with server.client("older-ann") as client:
        first = start(client, ref, "the oldest", HOST="a", GO=str(go))
        second = start(client, ref, "cancelled", HOST="a", GO=str(tmp_path / "never"))
        for _ in range(51):  # invalid ones: no script is started for them
            client.post(f"/api/runbooks/{ref}/execute", json={}).raise_for_status()
        page = sign_in(open_page("/runs?who=older-ann"))
        more = page.get_by_role("button", name="Load more")
        more.click()
        expect(more).to_be_hidden()
        expect(row(page, "the oldest")).to_contain_text("Running")
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        go.touch()
        expect(row(page, "the oldest")).to_contain_text("Succeeded")
        client.post(f"/api/runs/{second}/cancel").raise_for_status()
        expect(row(page, "cancelled")).to_contain_text("Cancelled")
    # Each is asked for when it has ended, and not before.
    again = [url for url in asked if "id=" in url]
    assert [first in url for url in again] == [True, False]
    assert [second in url for url in again] == [False, True]


def test_two_runs_are_compared(server, install, finish, view, sign_in):
    open_, look = view
    with server.client() as client:
        ref = install("Compared", version="1")
        finish(client, ref, "before the change", HOST="web1")
        install("Compared", version="2")
        finish(client, ref, "after the change", HOST="web2")
    page = sign_in(open_("/runs?runbook=Compared.md&q=change"))
    boxes = page.get_by_role("checkbox")
    boxes.nth(0).focus()
    page.keyboard.press("Space")
    expect(page.get_by_text("Select another run of Compared.md")).to_be_visible()
    boxes.nth(1).focus()
    page.keyboard.press("Space")
    look(page, "runs-picked")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page).to_have_url(re.compile("/compare/"))
    table = page.get_by_role("region", name="Comparison")
    host = table.get_by_role("row", name=re.compile("^HOST"))
    expect(host.get_by_role("cell")).to_have_text(["web1", "web2"])
    expect(table.get_by_role("row", name=re.compile("^version"))).to_contain_text("differs")
    expect(table.get_by_role("row", name=re.compile("^Exit code"))).not_to_contain_text("differs")
    differences = page.get_by_role("region", name="Changes in documents")
    expect(differences.locator(".added")).to_contain_text('print "version=2"')
    expect(differences.locator(".removed")).to_contain_text('print "version=1"')
    look(page, "compare")
    before = page.url
    page.keyboard.press("s")
    expect(page).not_to_have_url(before)
    expect(host.get_by_role("cell")).to_have_text(["web2", "web1"])


def test_a_comparison_with_a_run_that_is_not_there(open_page, sign_in, guard, check_accessibility):
    guard.allow("404")
    page = sign_in(open_page("/compare/nothing/nowhere"))
    expect(page.get_by_role("alert")).to_be_visible()
    check_accessibility(page)
