"""The dialogs that resume, retry and undo a run."""

import json
import re

import pytest
from playwright.sync_api import expect

VIEWS = {
    "light": {"scheme": "light"},
    "dark": {"scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}},
    "narrow": {"viewport": {"width": 320, "height": 640}},
}
SECRETIVE = """\
# Secretive

# Environment Requirements
```yaml
TOKEN:
  description: Opens the door.
  type: secret
```

# File System Requirements
```yaml
```

# Script

## Hand over

```sh
runbook env HANDED=with-$TOKEN
```

## Fail once

```sh
[[ -e {go} ]] || exit 3
print -r -- "Went on with ${{#HANDED}} characters"
```

# History
"""

# Its third step fails until `go` is there; each step leaves its name in `trace`.
DEMANDING = """\
# Demanding

# Environment Requirements
```yaml
CODE:
  description: A code that only the server can check.
  type: string
  pattern: '(?i)ab+'
MODE:
  description: How thoroughly.
  type: choice
  choices: quick, full
  default: quick
PORT:
  description: Where it listens.
  type: integer
  min: 1
  max: 65535
  default: "8080"
NOTE:
  description: A remark.
  type: text
  optional: true
ANSWERS:
  description: What it is set up with.
  type: file
```

# File System Requirements
```yaml
```

# Script

## Prepare

```sh
print prepare >> {trace}
```

## Copy

```sh
print copy >> {trace}
```

## Check

```sh
print check >> {trace}
[[ -e {go} ]] || exit 3
print -r -- "code $CODE mode $MODE port $PORT note [${{NOTE-unset}}] $(< "$ANSWERS")"
```

# History
"""
FILE = {"name": "answers.txt", "content_base64": "eWVz"}
AGAIN = {"name": "answers.txt", "mimeType": "text/plain", "buffer": b"said yes again"}


@pytest.fixture
def demanding(server, start, tmp_path):
    """A failed run of a runbook with inputs of many types: (its id, let it pass, the trace)."""
    go, trace = tmp_path / "go", tmp_path / "trace"
    (server.runbooks / "Demanding.md").write_text(DEMANDING.format(go=go, trace=trace))
    env = {"CODE": "ABB", "MODE": "full", "NOTE": "a remark", "ANSWERS": FILE}
    run_id = start("Demanding.md", env_vars=env)
    return run_id, go.touch, lambda: trace.read_text().split()


def field(page, name):
    return page.locator(f"#input-{name}")


def fault(page, name):
    return page.locator(f"#input-{name}-error")


def log_of(page):
    return page.get_by_role("region", name="Run output")


def head(page, name):
    return page.get_by_role("heading", level=3).get_by_role("button", name=re.compile(name))


def open_dialog(page, kind):
    button = page.get_by_role("button", name=kind, exact=True)
    more = page.get_by_role("button", name="More actions")
    expect(button.or_(more).first).to_be_visible()
    if not button.count():
        more.click()
        button = page.get_by_role("menuitem", name=kind, exact=True)
    button.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name=kind, exact=True)).to_be_visible()
    return dialog


def follow(page, kind):
    page.get_by_role("dialog").get_by_role("button", name=kind, exact=True).click()


def new_run(page, run_id, client):
    """The run whose page is shown once the dialog has started it, as the server tells it."""
    expect(page).to_have_url(re.compile(f"/run/(?!{run_id})"))
    return client.get(f"/api/runs/{page.url.rsplit('/', 1)[1]}").json()


def test_a_run_is_resumed_then_undone(
    open_run, start, client, wait_for, picture, check_accessibility, tmp_path
):
    env = {"FOLDER": str(tmp_path), "PORT": "80"}
    run_id = start("language/Resume.md", env_vars=env)
    page = open_run(run_id)
    dialog = open_dialog(page, "Resume")
    expect(dialog).to_contain_text("Resume from step 4, Open the port")
    picture(page, "run-resume")
    check_accessibility(page)
    field(page, "PORT").fill("8080")
    follow(page, "Resume")
    expect(page).not_to_have_url(re.compile(run_id))
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
    expect(head(page, "Make the folder")).to_contain_text("restored")
    expect(page.get_by_text("Resume of")).to_be_visible()
    expect(page.get_by_role("complementary", name="Run details")).to_contain_text("8080")
    picture(page, "run-resumed")
    check_accessibility(page)

    dialog = open_dialog(page, "Undo")
    follow(page, "Undo")
    expect(dialog.get_by_text("Confirmation required: type 'undo Resume'")).to_be_visible()
    dialog.get_by_label("to confirm").fill("undo Resume")
    resumed = page.url.rsplit("/", 1)[1]
    follow(page, "Undo")
    expect(page.get_by_text("Undo of")).to_be_visible()
    undoing = new_run(page, resumed, client)["id"]
    assert wait_for(undoing)["success"]
    assert not list(tmp_path.iterdir())


def test_a_changed_runbook_is_shown_before_it_is_resumed(server, open_run, start, guard, tmp_path):
    source = server.runbooks / "language/Resume.md"
    copy = server.runbooks / "Changing.md"
    copy.write_text(source.read_text())
    run_id = start("Changing.md", env_vars={"FOLDER": str(tmp_path), "PORT": "80"})
    copy.write_text(copy.read_text().replace('print "Made the folder"', 'print "Made it"'))
    guard.allow("409")
    page = open_run(run_id)
    dialog = open_dialog(page, "Resume")
    follow(page, "Resume")
    expect(dialog.get_by_role("region", name="Changes")).to_contain_text("Made it")
    dialog.get_by_role("button", name="Close", exact=True).click()
    page.get_by_role("button", name="Executed document").click()
    expect(page.get_by_text("The runbook has changed since this run.")).to_be_visible()
    expect(page.get_by_role("region", name="Executed document")).to_contain_text("Made the folder")


def test_values_that_were_not_kept_are_asked_for(server, open_run, start, tmp_path):
    go = tmp_path / "go"
    (server.runbooks / "Secretive.md").write_text(SECRETIVE.format(go=go))
    page = open_run(start("Secretive.md", env_vars={"TOKEN": "a-long-secret-value"}))
    expect(page.get_by_text("Set, not shown")).to_be_visible()
    go.touch()
    open_dialog(page, "Resume")
    follow(page, "Resume")
    expect(fault(page, "TOKEN")).to_have_text("TOKEN is required")
    expect(field(page, "TOKEN")).to_be_focused()
    field(page, "TOKEN").fill("a-long-secret-value")
    follow(page, "Resume")
    expect(fault(page, "HANDED")).to_contain_text("The value of HANDED was not stored")
    expect(field(page, "HANDED")).to_be_focused()
    expect(field(page, "HANDED")).to_have_attribute("type", "password")
    field(page, "HANDED").fill("with-a-long-secret-value")
    follow(page, "Resume")
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
    head(page, "Fail once").click()
    expect(log_of(page)).to_contain_text("Went on with 24 characters")
    assert "a-long-secret-value" not in page.content()
    storage = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    assert "a-long-secret-value" not in page.evaluate(storage)


@pytest.mark.parametrize("view", VIEWS)
def test_the_dialog_looks_well(view, demanding, open_run, picture, check_accessibility):
    page = open_run(demanding[0], **VIEWS[view])
    dialog = open_dialog(page, "Resume")
    dialog.get_by_label("Resume from", exact=True).select_option("1")
    follow(page, "Resume")
    expect(fault(page, "ANSWERS")).to_be_visible()
    expect(field(page, "ANSWERS")).to_be_focused()
    picture(page, f"follow-{view}")
    check_accessibility(page)
    wide = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(wide)
    form = dialog.locator("form")
    assert form.evaluate("form => form.scrollWidth <= form.clientWidth")


def test_a_dialog_has_the_controls_of_the_form(demanding, open_run, client):
    run_id, let_pass, _ = demanding
    let_pass()
    page = open_run(run_id)
    dialog = open_dialog(page, "Retry")
    expect(field(page, "CODE")).to_have_value("ABB")
    expect(field(page, "MODE")).to_have_value("full")
    expect(field(page, "NOTE")).to_have_value("a remark")
    expect(dialog.get_by_text("Where it listens.")).to_be_visible()
    expect(dialog.get_by_text("Not stored. Enter it again.")).to_be_visible()
    field(page, "PORT").fill("70000")
    expect(fault(page, "PORT")).to_have_text("PORT must be at most 65535: '70000'")
    field(page, "PORT").fill("8081")
    field(page, "MODE").select_option("quick")
    field(page, "NOTE").fill("")
    expect(dialog.get_by_text("Leave empty to submit an empty value.")).to_be_visible()
    field(page, "ANSWERS").set_input_files(AGAIN)
    dialog.get_by_label("Reason").fill("ticket 4712")
    follow(page, "Retry")
    run = new_run(page, run_id, client)
    assert (run["relation"], run["reason"]) == ("retry", "ticket 4712")
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
    head(page, "Check").click()
    text = "code ABB mode quick port 8081 note [] said yes again"
    expect(log_of(page)).to_contain_text(text)


def test_what_the_server_says_stands_at_its_field_and_makes_no_run(
    demanding, open_run, client, guard
):
    run_id, _, _ = demanding
    page = open_run(run_id)
    open_dialog(page, "Resume")
    field(page, "ANSWERS").set_input_files(AGAIN)
    field(page, "CODE").fill("xyz")
    guard.allow("400")
    follow(page, "Resume")
    expect(fault(page, "CODE")).to_have_text("CODE must match (?i)ab+: 'xyz'")
    expect(field(page, "CODE")).to_be_focused()
    assert not client.get(f"/api/runs/{run_id}").json()["followers"]
    field(page, "CODE").fill("Ab")
    expect(fault(page, "CODE")).to_have_count(0)
    follow(page, "Resume")
    assert new_run(page, run_id, client)["inputs"]["CODE"] == {"value": "Ab"}


def test_a_run_is_resumed_from_an_earlier_step(demanding, open_run, client):
    run_id, let_pass, trace = demanding
    page = open_run(run_id)
    dialog = open_dialog(page, "Resume")
    chosen = dialog.get_by_label("Resume from", exact=True)
    options = ["1. Prepare", "2. Copy", "3. Check (stopped here)"]
    expect(chosen.locator("option")).to_have_text(options)
    expect(chosen).to_have_value("3")
    expect(dialog.get_by_text("Completed steps are not executed again")).to_be_visible()
    chosen.select_option("2")
    expect(dialog.get_by_role("heading")).to_have_text("Resume from step 2, Copy")
    told = dialog.get_by_role("status").filter(has_text="These completed steps are executed again")
    expect(told.get_by_role("listitem")).to_have_text(["2. Copy"])
    field(page, "ANSWERS").set_input_files(AGAIN)
    let_pass()
    follow(page, "Resume")
    run = new_run(page, run_id, client)
    assert (run["relation"], run["start_step"]) == ("resume", 2)
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
    assert trace() == ["prepare", "copy", "check", "copy", "check"]


def test_a_lost_answer_starts_no_second_run(demanding, open_run, guard):
    """Pressing again sends the same key; something else to send has another one."""
    page = open_run(demanding[0])
    dialog = open_dialog(page, "Retry")
    field(page, "ANSWERS").set_input_files(AGAIN)
    keys = []

    def lose(route):
        keys.append(route.request.headers["idempotency-key"])
        assert json.loads(route.request.post_data)["env_vars"]["ANSWERS"]
        route.abort()

    guard.allow("net::ERR_FAILED")
    page.route("**/retry", lose)
    for port in ("8081", "8081", "8082"):
        field(page, "PORT").fill(port)
        with page.expect_event("requestfailed", lambda one: one.url.endswith("/retry")):
            follow(page, "Retry")
        expect(dialog.get_by_text("Can't reach the server")).to_be_visible()
    assert keys[0] == keys[1] != keys[2]


def test_who_may_not_execute_it_any_more_is_told_why(
    server, open_run, start, picture, check_accessibility
):
    server.add("Guarded", "exit 3", claims="roles: sre")
    run_id = start("Guarded.md")
    server.add("Guarded", "exit 3", claims="roles: admin")
    page = open_run(run_id, **VIEWS["narrow"])
    expect(page.get_by_role("button", name="Retry", exact=True)).to_be_disabled()
    expect(page.get_by_text("Requires roles=")).to_be_visible()
    picture(page, "follow-refused")
    check_accessibility(page)


def test_a_dialog_works_by_keys(demanding, open_run, client):
    run_id, _, _ = demanding
    page = open_run(run_id)
    opener = page.get_by_role("button", name="Resume", exact=True)
    expect(opener).to_be_enabled()
    opener.press("Enter")
    expect(field(page, "CODE")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(opener).to_be_focused()
    opener.press("Enter")
    expect(field(page, "CODE")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#resume-from")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("dialog").get_by_role("heading")).to_contain_text("step 2, Copy")
    page.keyboard.press("Tab")
    expect(field(page, "CODE")).to_be_focused()
    field(page, "ANSWERS").set_input_files(AGAIN)
    field(page, "CODE").press("Enter")
    assert new_run(page, run_id, client)["start_step"] == 2
