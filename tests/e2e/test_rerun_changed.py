"""The dialogs of a run whose runbook has changed, that is undone, and where a token ends."""

import re

import pytest
from playwright.sync_api import expect

STEPPED = """\
# Undoable

# Environment Requirements
```yaml
PORT: {{description: Where., type: integer, default: "80"}}
TOKEN: {{description: Opens., type: secret, optional: true}}
```

# File System Requirements
```yaml
```

# Script

## Make it

```sh
true
```

### Undo

```sh
true
```

## Tell them

```sh
print {text}
```

## Open it

```sh
true
```

### Undo

```sh
true
```

## Fail

```sh
false
```

# History
"""
SECRET = "typed-but-never-kept"


@pytest.fixture
def write(server):
    def write_(text="before"):
        (server.runbooks / "Undoable.md").write_text(STEPPED.format(text=text))
        return "Undoable.md"

    return write_


def field(page, name):
    return page.locator(f"#input-{name}")


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


@pytest.mark.parametrize("kind", ["Retry", "Resume"])
def test_a_change_since_the_run_is_told(write, start, open_run, kind, check_accessibility):
    run_id = start(write())
    page = open_run(run_id)
    head = page.get_by_role("button", name="Executed document")
    expect(head).not_to_contain_text("changed")
    write("after")
    page.reload()
    expect(head).to_contain_text("runbook changed since")
    expect(head).to_have_attribute("aria-expanded", "false")
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert head.evaluate("button => button.scrollWidth <= button.clientWidth")
    dialog = open_dialog(page, kind)
    expect(dialog.get_by_text("The runbook has changed since this run")).to_be_visible()
    dialog.get_by_text("Changes").click()
    change = dialog.get_by_role("region", name="Changes")
    expect(change).to_contain_text("-print before")
    expect(change).to_contain_text("+print after")
    check_accessibility(page)


def test_what_is_retried_is_what_was_shown(write, start, open_run, client, guard):
    run_id = start(write())
    guard.allow("409")
    page = open_run(run_id)
    dialog = open_dialog(page, "Retry")
    write("after")
    field(page, "PORT").fill("8080")
    retry = dialog.get_by_role("button", name="Retry", exact=True)
    retry.click()
    expect(dialog.get_by_text("changed while this dialog was open")).to_be_visible()
    expect(dialog.get_by_text("The runbook has changed since this run")).to_be_visible()
    assert client.get(f"/api/runs/{run_id}").json()["followers"] == []
    expect(field(page, "PORT")).to_have_value("8080")
    retry.click()
    expect(page).to_have_url(re.compile(f"/run/(?!{run_id})"))


def test_an_undo_says_what_it_will_do(write, start, open_run, picture, check_accessibility):
    run_id = start(write())
    page = open_run(run_id)
    dialog = open_dialog(page, "Undo")
    undone = dialog.get_by_role("list", name="Steps to undo, in order")
    expect(undone.get_by_role("listitem")).to_have_text(["3. Open it", "1. Make it"])
    left = dialog.get_by_role("list", name="Steps without an undo, left unchanged")
    expect(left.get_by_role("listitem")).to_have_text(["2. Tell them"])
    picture(page, "run-undo")
    check_accessibility(page)
    dialog.get_by_label("to confirm").fill("Undoable")
    dialog.get_by_role("button", name="Undo", exact=True).click()
    expect(dialog.get_by_text("Confirmation required: type 'undo Undoable'")).to_be_visible()
    dialog.get_by_label("to confirm").fill("undo Undoable")
    dialog.get_by_role("button", name="Undo", exact=True).click()
    expect(page).to_have_url(re.compile(f"/run/(?!{run_id})"))


def test_what_was_typed_outlives_the_token(write, start, open_run, sign_in, guard):
    run_id = start(write(), env_vars={"TOKEN": SECRET})
    guard.allow("401")
    page = open_run(run_id)
    open_dialog(page, "Retry")
    field(page, "PORT").fill("8080")
    field(page, "TOKEN").fill(SECRET)
    page.get_by_label("Reason").fill("ticket 4711")
    page.route("**/validate", lambda route: route.fulfill(status=401, body="{}"))
    page.get_by_role("dialog").get_by_role("button", name="Retry", exact=True).click()
    expect(page.get_by_text("Your session has expired")).to_be_visible()
    assert SECRET not in page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    page.unroute("**/validate")
    sign_in(page)
    dialog = open_dialog(page, "Retry")
    expect(field(page, "PORT")).to_have_value("8080")
    expect(page.get_by_label("Reason")).to_have_value("ticket 4711")
    expect(field(page, "TOKEN")).to_have_value("")
    # What is closed is given up.
    dialog.get_by_role("button", name="Close", exact=True).click()
    open_dialog(page, "Retry")
    expect(field(page, "PORT")).to_have_value("80")
