"""The form that executes a runbook: every type of input, what is wrong, and where secrets go."""

import json
import re

import pytest
from playwright.sync_api import expect

INPUTS = "/execute/language/Inputs.md?page=all"
POLICY = "/execute/language/Policy.md"
SECRET = "hunter22-of-the-form"
VIEWS = {
    "light": ({"width": 1280, "height": 800}, "light"),
    "dark": ({"width": 1280, "height": 800}, "dark"),
    "phone": ({"width": 390, "height": 844}, "light"),
}
WRONG = [
    ("TITLE", "UP", "TITLE must have at least 3 characters: 'UP'"),
    ("TITLE", "Upper case", "TITLE must match [a-z][a-z0-9-]*: 'Upper case'"),
    ("HOST", "-web", "HOST must be a host name: '-web'. Letters, digits and hyphens between dots"),
    ("ADDRESS", "1.2.3", "ADDRESS must be an IP address: '1.2.3'. Such as 192.0.2.7"),
    (
        "NETWORK",
        "10.0.0.0/33",
        "NETWORK must be an IP address with its prefix length: '10.0.0.0/33'",
    ),
    ("PORT", "x", "PORT must be an integer: 'x'"),
    ("PORT", "70000", "PORT must be at most 65535: '70000'"),
    ("STATUS_PAGE", "ftp://x", "STATUS_PAGE must be an http or https URL with a host"),
    ("THRESHOLD", ".5", "THRESHOLD must be a number: '.5'"),
    (
        "PATIENCE",
        "1 hour",
        "PATIENCE must be a duration: '1 hour'. Write a number with d, h, m or s",
    ),
    ("PATIENCE", "11m", "PATIENCE must be at most 10m: '11m'"),
    ("LABELS", "{a}", "LABELS must be JSON: '{a}'"),
    ("PASSWORD", "short", "PASSWORD must have at least 8 characters"),
]


@pytest.fixture(params=VIEWS)
def view(request, open_page, picture, check_accessibility, sign_in):
    """Opens a page in each size and scheme: (open, look)."""
    viewport, scheme = VIEWS[request.param]

    def open_(path):
        return sign_in(open_page(path, viewport=viewport, scheme=scheme))

    def look(page, name):
        picture(page, f"{name}-{request.param}")
        # In a window as high as the page: what is behind a bar now can be scrolled to.
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": viewport["width"], "height": height})
        check_accessibility(page)
        page.set_viewport_size(viewport)

    return open_, look


def field(page, name):
    return page.locator(f"#input-{name}")


def execute(page, name="Execute"):
    page.get_by_role("button", name=name, exact=True).click()


def run_of(page, server):
    """The run whose page is shown, as the server tells it."""
    expect(page).to_have_url(re.compile("/run/"))
    with server.client() as client:
        return client.get(f"/api/runs/{page.url.rsplit('/', 1)[1]}").json()


def test_it_looks_well(view):
    open_, look = view
    page = open_(INPUTS)
    expect(field(page, "TITLE")).to_be_visible()
    look(page, "execute-inputs")
    field(page, "TITLE").fill("UP")
    field(page, "PORT").fill("70000")
    execute(page)
    expect(field(page, "TITLE")).to_be_focused()
    look(page, "execute-faults")
    content = {"name": "report.txt", "mimeType": "text/plain", "buffer": b"Dear all"}
    field(page, "TEMPLATE").set_input_files(content)
    page.get_by_role("radiogroup", name="NOTIFY").scroll_into_view_if_needed()
    page.get_by_label("Dry run").scroll_into_view_if_needed()
    look(page, "execute-end")
    page.goto(POLICY)
    field(page, "MACHINE").fill("web1")
    expect(page.get_by_text("Type drain web1 to confirm")).to_be_visible()
    page.get_by_label("Type drain web1").scroll_into_view_if_needed()
    look(page, "execute-confirm")


def test_every_type_has_its_control(open_page, sign_in, server):
    page = sign_in(open_page(INPUTS))
    field(page, "TITLE").fill("weekly-web")
    field(page, "NOTE").fill("one line\nand another")
    page.get_by_label("MODE").select_option("full")
    page.get_by_role("group", name="PARTS").get_by_label("disk").check()
    page.get_by_role("group", name="PARTS").get_by_label("memory").uncheck()
    for name, value in {
        "HOST": "db-1.example.com",
        "ADDRESS": "2001:db8::7",
        "NETWORK": "2001:db8::/64",
        "PORT": "8443",
        "STATUS_PAGE": "https://example.com/s?a=b",
        "THRESHOLD": "1.5",
        "PATIENCE": "1m30s",
        "LABELS": '{"team": "web"}',
        "PASSWORD": SECRET,
    }.items():
        field(page, name).fill(value)
    page.get_by_role("radiogroup", name="NOTIFY").get_by_text("true").click()
    content = {"name": "report.txt", "mimeType": "text/plain", "buffer": b"Dear all"}
    field(page, "TEMPLATE").set_input_files(content)
    expect(page.get_by_text("report.txt")).to_be_visible()
    page.get_by_label("Reason").fill("ticket 4711")
    execute(page)
    run = run_of(page, server)
    expect(page.get_by_text("Succeeded", exact=True).first).to_be_visible()
    expect(page.get_by_text("template report.txt: Dear all")).to_be_visible()
    expect(page.get_by_text("someone would be told")).to_be_visible()
    values = {name: given.get("value") for name, given in run["inputs"].items()}
    assert values == {
        "TITLE": "weekly-web",
        "NOTE": "one line\nand another",
        "MODE": "full",
        "PARTS": "cpu,disk",
        "HOST": "db-1.example.com",
        "ADDRESS": "2001:db8::7",
        "NETWORK": "2001:db8::/64",
        "PORT": "8443",
        "STATUS_PAGE": "https://example.com/s?a=b",
        "THRESHOLD": "1.5",
        "PATIENCE": "1m30s",
        "NOTIFY": "true",
        "LABELS": '{"team": "web"}',
        "PASSWORD": None,
        "TEMPLATE": None,
    }
    assert run["reason"] == "ticket 4711"


def test_wrong_values_are_named_while_they_are_typed(open_page, sign_in, server):
    page = sign_in(open_page(INPUTS))
    field(page, "TITLE").wait_for()
    for name, value, message in WRONG:
        kept = field(page, name).input_value()
        field(page, name).fill(value)
        row = page.locator(f"#input-{name}-error")
        expect(row).to_contain_text(message)
        with server.client() as client:
            body = {"env_vars": {"TITLE": "weekly", name: value}}
            told = client.patch("/api/runbooks/language/Inputs.md/validate", json=body).json()
        assert told["problems"][0]["message"] in row.inner_text()
        field(page, name).fill(kept or ("weekly" if name == "TITLE" else ""))
        expect(row).to_have_count(0)
    field(page, "TITLE").fill("")
    execute(page)
    expect(page.get_by_text("TITLE is required")).to_be_visible()
    expect(field(page, "TITLE")).to_be_focused()
    assert "/execute/" in page.url


def test_a_file_that_is_too_large_is_not_taken(open_page, sign_in):
    page = sign_in(open_page(INPUTS))
    large = {"name": "large.bin", "mimeType": "text/plain", "buffer": b"x" * (1024 * 1024 + 1)}
    field(page, "TEMPLATE").set_input_files(large)
    expect(page.get_by_text("TEMPLATE is too large: 1048577 bytes")).to_be_visible()
    small = {"name": "small.txt", "mimeType": "text/plain", "buffer": b"x"}
    field(page, "TEMPLATE").set_input_files(small)
    expect(page.get_by_text("is too large")).to_have_count(0)
    page.get_by_role("button", name="Remove small.txt").click()
    expect(page.get_by_text("small.txt")).to_have_count(0)


def test_the_server_has_the_last_word(open_page, sign_in, server, guard):
    """A pattern that this browser does not know: the server's message stands at the field."""
    server.add("Strict", 'print "$CODE"', inputs="CODE:\n  type: string\n  pattern: '(?i)ab+'")
    page = sign_in(open_page("/execute/Strict.md"))
    field(page, "CODE").fill("xyz")
    guard.allow("400")
    execute(page)
    expect(page.locator("#input-CODE-error")).to_have_text("CODE must match (?i)ab+: 'xyz'")
    expect(field(page, "CODE")).to_be_focused()
    field(page, "CODE").fill("ABB")
    expect(page.locator("#input-CODE-error")).to_have_count(0)
    execute(page)
    assert run_of(page, server)["inputs"] == {"CODE": {"value": "ABB"}}


def test_choices_that_are_not_known_yet(open_page, sign_in):
    page = sign_in(open_page("/execute/language/Choose.md"))
    expect(page.get_by_label("SITE")).to_be_disabled()
    expect(page.get_by_text("No choices yet").first).to_be_visible()
    expect(page.get_by_role("link", name="language/Sites.md").first).to_be_visible()


def test_an_address_fills_the_form_but_never_with_secrets(open_page, sign_in):
    query = f"env.TITLE=from-a-link&env.PORT=99999&env.PASSWORD={SECRET}&env.ODD=1"
    page = sign_in(open_page(f"{INPUTS}&{query}"))
    expect(field(page, "TITLE")).to_have_value("from-a-link")
    expect(page.locator("#input-PORT-error")).to_contain_text("must be at most 65535")
    expect(field(page, "PASSWORD")).to_have_value("")
    expect(page.get_by_text("The URL contains PASSWORD. Secrets and files")).to_be_visible()
    expect(page.get_by_text("doesn't declare: ODD")).to_be_visible()
    assert SECRET not in page.url
    assert "env.TITLE=from-a-link" in page.url


def test_a_text_must_be_typed_where_the_policy_wants_it(open_page, sign_in, server):
    page = sign_in(open_page(POLICY))
    expect(page.get_by_text("Fill in MACHINE first")).to_be_visible()
    field(page, "MACHINE").fill("web7")
    confirm = page.get_by_label("Type drain web7 to confirm")
    confirm.fill("drain web1")
    execute(page)
    expect(page.get_by_text("Confirmation required: type 'drain web7'")).to_be_visible()
    expect(confirm).to_be_focused()
    confirm.fill("drain web7")
    confirm.press("Enter")
    run = run_of(page, server)
    assert run["inputs"]["MACHINE"] == {"value": "web7"}
    expect(page.get_by_text("Succeeded", exact=True).first).to_be_visible()
    with server.client() as client:
        assert "Moved what ran on web7" in client.get(f"/api/runs/{run['id']}/log").text


def test_dry_runs(open_page, sign_in, server):
    page = sign_in(open_page(POLICY))
    field(page, "MACHINE").fill("web8")
    page.get_by_label("Dry run").check()
    expect(page.get_by_text("must not change anything")).to_be_visible()
    expect(page.locator("#confirm")).to_have_count(0)
    execute(page, "Execute as a dry run")
    assert run_of(page, server)["dry_run"]
    page.goto("/execute/SimpleRunbook.md")
    expect(page.get_by_text("does not support dry runs")).to_be_visible()


def test_a_secret_is_gone_after_it_was_sent(open_page, sign_in, server):
    page = sign_in(open_page(INPUTS))
    field(page, "TITLE").fill("weekly-web")
    field(page, "PASSWORD").fill(SECRET)
    expect(field(page, "PASSWORD")).to_have_attribute("type", "password")
    expect(field(page, "PASSWORD")).to_have_attribute("autocomplete", "off")
    page.get_by_role("button", name="Show secret").click()
    expect(field(page, "PASSWORD")).to_have_attribute("type", "text")
    storage = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    assert SECRET not in page.evaluate(storage)
    assert "weekly-web" in page.evaluate(storage)
    execute(page)
    run_of(page, server)
    expect(page.get_by_text("Succeeded", exact=True).first).to_be_visible()
    assert SECRET not in page.content()
    assert SECRET not in page.evaluate(storage)
    assert "weekly-web" not in page.evaluate("JSON.stringify({...sessionStorage})")
    values = page.evaluate(
        "[...document.querySelectorAll('input, textarea')].map(one => one.value)"
    )
    assert SECRET not in values
    page.go_back()
    expect(field(page, "PASSWORD")).to_have_value("")


def test_a_key_of_several_lines_stays_as_it_is(open_page, sign_in):
    page = sign_in(open_page(INPUTS))
    field(page, "PASSWORD").focus()
    page.evaluate(
        "const data = new DataTransfer(); data.setData('text/plain', 'BEGIN\\nkey\\nEND\\n');"
        "document.activeElement.dispatchEvent(new ClipboardEvent('paste',"
        " {clipboardData: data, bubbles: true, cancelable: true}))"
    )
    expect(field(page, "PASSWORD")).to_have_value("BEGIN\nkey\nEND\n")


def test_the_values_of_the_last_time(open_page, sign_in, server):
    with server.client("dev-sre") as client:
        env = {"TITLE": "as-before", "PORT": 8444, "PASSWORD": SECRET, "NOTIFY": True}
        path = "/api/runbooks/language/Inputs.md/execute"
        client.post(path, json={"env_vars": env}).raise_for_status()
    page = sign_in(open_page(INPUTS))
    page.get_by_role("button", name="Reuse last values").click()
    expect(field(page, "TITLE")).to_have_value("as-before")
    expect(field(page, "PORT")).to_have_value("8444")
    expect(page.get_by_role("radio", name="true")).to_be_checked()
    expect(field(page, "PASSWORD")).to_have_value("")
    expect(page.get_by_text("enter again: PASSWORD")).to_be_visible()


def test_one_key_for_one_content(open_page, sign_in, guard):
    """An answer that was lost: the same form sends the same key, a changed one another."""
    page = sign_in(open_page("/execute/SimpleRunbook.md"))
    keys = []

    def lose(route):
        keys.append(route.request.headers["idempotency-key"])
        assert json.loads(route.request.post_data)["env_vars"]
        route.abort()

    guard.allow("net::ERR_FAILED")
    page.route("**/execute", lose)
    field(page, "TEST_VAR").fill("one")
    for count, text in enumerate(["one", "one", "two"], start=1):
        field(page, "TEST_VAR").fill(text)
        # What the attempt before left on the page may still be there.
        with page.expect_event("requestfailed", lambda one: one.url.endswith("/execute")):
            execute(page)
        expect(page.get_by_text("Can't reach the server")).to_be_visible()
        assert len(keys) == count
    assert keys[0] == keys[1] != keys[2]


def test_who_may_not_execute_is_told_why(open_page, sign_in, check_accessibility):
    page = sign_in(open_page("/execute/RestrictedRunbook.md"), "sre")
    expect(page.get_by_role("button", name="Execute", exact=True)).to_be_disabled()
    expect(
        page.get_by_text("Requires team=platform; environment=staging or production")
    ).to_be_visible()
    check_accessibility(page)


def test_the_form_works_by_keyboard(open_page, sign_in, server):
    page = sign_in(open_page("/execute/SimpleRunbook.md"))
    field(page, "TEST_VAR").focus()
    page.keyboard.type("by keys")
    page.keyboard.press("Tab")
    page.keyboard.type("why not")
    page.keyboard.press("Enter")
    assert run_of(page, server)["reason"] == "why not"


def test_the_short_form_hides_what_its_name_calls_a_secret(open_page, sign_in, server):
    server.add("Plain", 'print "${#DB_PASSWORD}"', inputs="DB_PASSWORD: Opens it.\nHOST: Where.")
    page = sign_in(open_page("/execute/Plain.md"))
    expect(field(page, "DB_PASSWORD")).to_have_attribute("type", "password")
    expect(field(page, "HOST")).to_have_attribute("type", "text")
