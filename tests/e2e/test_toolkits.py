"""The page of toolkits: install, enable, upgrade, roll back and remove, each seen at once."""

import hashlib
import io
import json
import zipfile

import pytest
from playwright.sync_api import expect

RUNBOOK = """# Greet

Says hello.

# Environment Requirements

```yaml
```

# File System Requirements

```yaml
Input:
```

# Script

```zsh
print hello
```

# History
"""


def archive(version, *, slug="greetings"):
    manifest = f"""slug: {slug}
name: Greetings
version: {version}
description: Says hello, in as many words as it takes.
commands: [no-such-command]
connections: [proxmox]
"""
    readme = "# Greetings\n\nSee [Greet](Greet.md).\n\n| word | use |\n|---|---|\n| hello | all |\n"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, text in (
            ("toolkit.yaml", manifest),
            ("README.md", readme),
            ("Greet.md", RUNBOOK),
        ):
            file.writestr(name, text)
    name = f"greetings-{version}.zip"
    return {"name": name, "mimeType": "application/zip", "buffer": data.getvalue()}


@pytest.fixture
def own_server(integration, tmp_path):
    """With a catalogue that offers Greetings 1.2.0."""
    data = archive("1.2.0")["buffer"]
    (tmp_path / "greetings.zip").write_bytes(data)
    offer = {"slug": "greetings", "version": "1.2.0", "archive": "greetings.zip"}
    offer["sha256"] = hashlib.sha256(data).hexdigest()
    catalogue = tmp_path / "catalogue.json"
    catalogue.write_text(json.dumps({"toolkits": [offer]}))
    with integration.running(tmp_path / "served", TOOLKIT_CATALOGUE=catalogue) as server:
        yield server


def card(page, name):
    return page.get_by_role("article", name=name, exact=True)


def upload(page, file):
    page.get_by_label("Toolkit archive").set_input_files(file)


def choose(page, toolkit, action):
    page.get_by_role("button", name=f"More actions for {toolkit}", exact=True).click()
    page.get_by_role("menuitem", name=action, exact=True).click()


def test_a_toolkit_comes_changes_and_goes(own_server, open_page, sign_in, guard, look):
    page = sign_in(open_page("/runbooks", at=own_server), "admin")
    page.get_by_role("link", name="Toolkits", exact=True).click()
    health, greetings = card(page, "Health"), card(page, "Greetings")
    expect(health).to_contain_text("Not installed")
    look(page, "toolkits-available")

    page.get_by_role("button", name="Install Health").click()
    expect(health).to_contain_text("Disabled")
    enable = page.get_by_role("button", name="Enable Health")
    expect(enable).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("Installed Health")
    enable.click()
    expect(health).to_contain_text("Enabled")
    with own_server.client("dev-admin", roles=("admin",)) as client:
        assert client.post("/api/runbooks/health/Health.md").json()["status"] == "succeeded"

    upload(page, archive("1.0.0"))
    expect(greetings).to_contain_text("The command no-such-command is missing on the server")
    expect(greetings).to_contain_text("Needs a connection: proxmox")
    connection = greetings.get_by_role("link", name="connection", exact=True)
    expect(connection).to_have_attribute("href", "/connections")
    page.get_by_role("button", name="Enable Greetings").click()
    upload(page, archive("1.1.0"))
    expect(greetings).to_contain_text("Version 1.1.0")
    page.reload()
    for one, runbooks in ((health, "2 runbooks"), (greetings, "1 runbook")):
        one.get_by_text(runbooks, exact=True).click()
        one.get_by_text("README", exact=True).click()
    expect(health.get_by_role("link", name="Succeeded")).to_be_visible()
    expect(greetings.get_by_role("listitem").filter(has_text="Greet")).to_contain_text("Never run")
    expect(greetings.get_by_role("cell", name="hello")).to_be_visible()
    expect(greetings.get_by_role("link", name="Greet").last).to_have_attribute(
        "href", "/runbook/greetings/Greet.md"
    )
    look(page, "toolkits-installed")

    choose(page, "Greetings", "Roll back to 1.0.0")
    expect(greetings).to_contain_text("Version 1.0.0")
    guard.allow("422")
    upload(page, archive("1.0", slug="Not A Slug"))
    expect(page.get_by_role("alert")).to_contain_text("slug")
    look(page, "toolkits-refused")

    choose(page, "Greetings", "Remove")
    dialog = page.get_by_role("dialog")
    remove = dialog.get_by_role("button", name="Remove")
    remove.click()
    expect(dialog).to_contain_text("Confirmation required")
    dialog.get_by_role("textbox").fill("greetings")
    look(page, "toolkits-remove")
    remove.click()
    expect(greetings).to_have_count(0)
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("main")).to_be_focused()
    with own_server.client("dev-admin", roles=("admin",)) as client:
        slugs = [it["slug"] for it in client.get("/api/toolkits").json()["toolkits"]]
    assert "greetings" not in slugs


def test_updates_are_looked_up_in_the_catalogue(own_server, open_page, sign_in, look):
    page = sign_in(open_page("/toolkits", at=own_server), "admin")
    expect(card(page, "Fleet")).to_be_visible()
    upload(page, archive("1.1.0"))
    expect(card(page, "Greetings")).to_contain_text("Version 1.1.0")
    page.get_by_role("button", name="Check for updates").click()
    expect(page.get_by_role("status")).to_have_text("1 update available")
    expect(page.get_by_text("Checked for updates")).to_be_visible()
    look(page, "toolkits-update")
    page.get_by_role("button", name="Upgrade to 1.2.0 Greetings").click()
    expect(card(page, "Greetings")).to_contain_text("Version 1.2.0")


def test_without_a_catalogue_there_are_no_updates_to_check_for(open_page, sign_in):
    page = sign_in(open_page("/toolkits"), "admin")
    expect(page.get_by_role("button", name="Install from .zip")).to_be_visible()
    expect(page.get_by_role("button", name="Check for updates")).to_have_count(0)


def test_nobody_sees_what_they_may_not_do(open_page, sign_in):
    page = sign_in(open_page("/toolkits"), "viewer")
    expect(card(page, "Health")).to_be_visible()
    expect(page.get_by_role("main").get_by_role("button")).to_have_count(0)

    def without_toolkits(route):
        reply = route.fetch()
        config = reply.json()
        config["token"]["permissions"].remove("toolkit.read")
        route.fulfill(response=reply, json=config)

    page.route("**/api/config", without_toolkits)
    page.goto("/runs")
    main = page.get_by_role("navigation", name="Main")
    expect(main.get_by_role("link", name="Runs", exact=True)).to_be_visible()
    expect(main.get_by_role("link", name="Toolkits", exact=True)).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Go to Runs")
    expect(page.get_by_role("dialog")).not_to_contain_text("Go to Toolkits")
