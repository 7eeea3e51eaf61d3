"""What holds on every page: keys alone are enough, axe finds nothing, few requests are made."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

ROOT = Path(__file__).parents[2]
VIEWS = {
    "light": ({"width": 1280, "height": 800}, "light"),
    "dark": ({"width": 1280, "height": 800}, "dark"),
    "phone": ({"width": 390, "height": 844}, "light"),
    # As wide as a window of 1280 pixels at a zoom of 400 %.
    "narrow": ({"width": 320, "height": 640}, "light"),
}
PER_MINUTE = 60
# The pages are tested in so many parts, which may run at the same time.
PARTS = 2
# What a page shows in the end, by its address.
PAGES = {
    "/runbooks": "SimpleRunbook",
    "/runbooks?q=nothing+is+like+this": "No matching runbooks",
    "/runbook/SimpleRunbook.md": "Required Claims",
    "/runbook/Nothing.md": "View all runbooks",
    "/execute/SimpleRunbook.md": "TEST_VAR",
    "/execute/Nothing.md": "View all runbooks",
    "/runs": "Created",
    "/runs?who=nobody": "No matching runs",
    "/run/{run}": "Succeeded",
    "/run/nothing": "View all runs",
    "/compare/{run}/{other}": "Both runs have the same document",
    "/toolkits": "Health",
    "/connections": "No connections",
    "/connections/new?kind=proxmox": "Access and labels",
    "/connection/nothing": "View all connections",
    "/inventory": "No devices",
    "/device/nothing": "View all devices",
    "/admin": "RUNBOOKS_DIR",
    "/nowhere/at/all": "No page at this URL",
}


PHONE_ENDS = {
    "/runbooks": "SimpleRunbook",
    "/execute/language/Inputs.md": "Execute",
    "/runbook/language/Inputs.md": "Environment Requirements",
}


@pytest.fixture(scope="module")
def runs(server):
    with server.client("dev-sre") as client:
        ids = []
        for text in ("one", "two"):
            reply = client.post(
                "/api/runbooks/SimpleRunbook.md/execute",
                json={"env_vars": {"TEST_VAR": text}},
                headers={"Accept": "application/json"},
            )
            ids.append(reply.json()["run_id"])
    return {"run": ids[0], "other": ids[1]}


def tab_to(page, role, name, most=80):
    """Press Tab until this has the focus; nothing is clicked."""
    wanted = page.get_by_role(role, name=name, exact=True).first
    expect(wanted).to_be_visible()
    for _ in range(most):
        if wanted.evaluate("element => element === document.activeElement"):
            return wanted
        page.keyboard.press("Tab")
    raise AssertionError(f"{most} times Tab do not lead to {role} {name!r}")


def test_from_sign_in_to_a_finished_run_by_keys_alone(open_page):
    page = open_page("/")
    tab_to(page, "button", "sre")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="SimpleRunbook", exact=True)).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search")).to_be_focused()
    page.keyboard.type("simplerunbook.md")
    tab_to(page, "link", "SimpleRunbook")
    page.keyboard.press("Enter")
    tab_to(page, "link", "Execute")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Execute SimpleRunbook")).to_be_visible()
    tab_to(page, "textbox", "TEST_VAR")
    page.keyboard.type("typed by keys")
    tab_to(page, "button", "Execute")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/run/"))
    expect(page.get_by_text("TEST_VAR: typed by keys")).to_be_visible()
    expect(page.get_by_text("Succeeded").first).to_be_visible()
    # Away from it, and to the list, where it stands on top.
    page.keyboard.press("g")
    page.keyboard.press("u")
    table = page.get_by_role("region", name="Runs", exact=True)
    expect(table.get_by_role("row").nth(1)).to_contain_text("SimpleRunbook")
    tab_to(page, "link", "SimpleRunbook")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/run/"))


def too_wide(page):
    """By how many pixels the page would scroll to the side."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


# What can differ from a view of the same layout that was checked before.
RULES = {"dark": ["color-contrast", "link-in-text-block"], "narrow": ["target-size"]}


def hindrances(page, view, check_accessibility):
    """What of the page as it is now hinders someone."""
    only = {"rules": RULES[view]} if view in RULES else {}
    try:
        check_accessibility(page, **only)
    except AssertionError as error:
        yield str(error)
    wide = too_wide(page)
    if wide > 0:
        yield f"{wide} pixels too wide"
    if page.title() == "" or page.get_by_role("heading").count() == 0:
        yield "no title or no heading"


@pytest.mark.parametrize("part", range(PARTS))
def test_no_page_hinders_anyone(
    part, open_page, sign_in, runs, guard, check_accessibility, picture
):
    """Each page is loaded once, and then shown in every size and scheme."""
    guard.allow("404")
    page = sign_in(open_page("/runbooks"))
    faults = []
    for number, (path, text) in list(enumerate(PAGES.items()))[part::PARTS]:
        page.goto(path.format(**runs))
        for view, (viewport, scheme) in VIEWS.items():
            page.set_viewport_size(viewport)
            page.emulate_media(color_scheme=scheme)
            expect(page.locator(f".v-theme--{scheme}").first).to_be_attached()
            expect(page.get_by_text(text).first).to_be_visible()
            expect(page.get_by_role("progressbar")).to_have_count(0)
            picture(page, f"everywhere-{number:02}-{view}")
            found = hindrances(page, view, check_accessibility)
            faults += [f"{path}, {view}: {fault}" for fault in found]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("path", "list_"),
    [
        ("/runbook/Nothing.md", "runbooks"),
        ("/execute/Nothing.md", "runbooks"),
        ("/run/nothing", "runs"),
        ("/compare/nothing/nowhere", "runs"),
    ],
)
def test_what_is_not_there_leads_back_to_the_list(open_page, sign_in, guard, path, list_):
    guard.allow("404")
    page = sign_in(open_page(path))
    back = page.get_by_role("alert").get_by_role("link", name=f"View all {list_}")
    expect(back).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    back.click()
    expect(page).to_have_url(re.compile(f"/{list_}$"))


def test_what_may_pass_can_be_tried_again(open_page, sign_in, guard):
    guard.allow("503")
    page = sign_in(open_page("/runbooks"))
    busy = {"status": 503, "json": {"status": 503, "title": "Busy", "detail": "x", "code": "busy"}}
    page.route("**/api/runbooks/SimpleRunbook.md", lambda route: route.fulfill(**busy))
    page.goto("/runbook/SimpleRunbook.md")
    again = page.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    expect(page.get_by_role("alert").get_by_role("link", name="View all")).to_have_count(0)
    page.unroute("**/api/runbooks/SimpleRunbook.md")
    again.click()
    expect(page.get_by_role("heading", name="SimpleRunbook", level=1)).to_be_visible()


@pytest.mark.parametrize(
    ("path", "labels"),
    [
        ("/runbooks", ["Search runbooks"]),
        ("/runs", ["Search runs", "Compare selected runs", "Load more runs"]),
        ("/admin", []),
        ("/compare/{run}/{other}", ["Swap runs"]),
    ],
)
def test_the_sheet_tells_every_key(open_page, sign_in, runs, check_accessibility, path, labels):
    page = sign_in(open_page(path.format(**runs)))
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog")
    places = ["Go to Runbooks", "Go to Runs", "Go to Toolkits", "Go to Connections", "Go to Admin"]
    own = [
        "Show keyboard shortcuts",
        "Close the dialog or menu",
        "Go to the next field, link or button",
    ]
    for label in [*labels, *places, *own]:
        expect(sheet.get_by_text(label, exact=True)).to_be_visible()
    keys = sheet.locator("dt").all_inner_texts()
    assert len(keys) == len(set(keys))
    check_accessibility(page)
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()


# The focused element of the page, where a bar of the app lies upon its middle; null outside of the
# page, '' otherwise. Scrolling to it ends with the next frame.
COVERED = """async () => {
    await new Promise(requestAnimationFrame)
    const element = document.activeElement, box = element.getBoundingClientRect()
    if (!element.closest('#main')) return null
    const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)]
    const shown = document.elementFromPoint((box.left + box.right) / 2, (top + bottom) / 2)
    return shown?.closest('#main') ? '' : `${element.outerHTML.slice(0, 200)} is not seen`
}"""


@pytest.mark.parametrize(
    "path", ["/runbooks", "/execute/language/Inputs.md", "/runbook/language/Inputs.md"]
)
def test_the_bars_of_a_phone_cover_nothing_that_has_the_focus(open_page, sign_in, path):
    page = sign_in(open_page(path, viewport=VIEWS["phone"][0]))
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_count(0)
    expect(page.get_by_text(PHONE_ENDS[path]).first).to_be_attached()
    focused = []
    for key in ("Tab", "Shift+Tab"):
        for _ in range(80):
            page.keyboard.press(key)
            focused.append(page.evaluate(COVERED))
    assert sum(covered is not None for covered in focused) > 20
    assert not any(focused), "\n".join(filter(None, focused))


def test_the_tab_of_a_phone_that_is_open_looks_different(open_page, sign_in):
    page = sign_in(open_page("/runbooks", viewport=VIEWS["phone"][0]))
    tabs = page.get_by_role("navigation", name="Main").get_by_role("link")
    expect(tabs).to_have_count(6)
    expect(tabs.nth(0)).to_have_attribute("aria-current", "page")
    colours = tabs.evaluate_all("tabs => tabs.map(tab => getComputedStyle(tab).color)")
    assert colours[0] != colours[1] == colours[2]
    page.set_viewport_size(VIEWS["narrow"][0])
    tabs.last.click()
    expect(tabs.last).to_have_attribute("aria-current", "page")
    boxes = [tab.bounding_box() for tab in tabs.all()]
    assert boxes[0]["x"] >= 0
    assert boxes[-1]["x"] + boxes[-1]["width"] <= page.viewport_size["width"]


@pytest.mark.parametrize(
    ("path", "list_"),
    [("/runbook/", "runbooks"), ("/execute/", "runbooks"), ("/run/", "runs"), ("/compare", "runs")],
)
def test_an_address_without_a_name_leads_to_the_list(open_page, sign_in, path, list_):
    page = sign_in(open_page(path))
    expect(page).to_have_url(re.compile(f"/{list_}$"))


def test_slashes_of_an_address_stay_as_they_are(open_page, sign_in):
    page = sign_in(open_page("/runbook/language/Locks.md"))
    page.get_by_role("link", name="History", exact=True).click()
    expect(page).to_have_url(re.compile(r"/runbook/language/Locks\.md\?view=history$"))
    page.keyboard.press("d")
    expect(page).to_have_url(re.compile(r"/runbook/language/Locks\.md$"))


FOCUS_IS_SEEN = """element => {
    const { outlineStyle, outlineWidth } = getComputedStyle(element)
    return element.matches(':focus-visible') && outlineStyle !== 'none' && outlineWidth !== '0px'
}"""


@pytest.fixture
def failed_run(start, tmp_path):
    return start("language/Resume.md", env_vars={"FOLDER": str(tmp_path), "PORT": "80"})


@pytest.fixture
def waiting_run(server, start, client, tmp_path):
    script = f"until [[ -e {tmp_path}/go ]]; do sleep 0.05; done"
    run_id = start(server.add("Waits", script), wait=False)
    yield run_id
    client.post(f"/api/runs/{run_id}/cancel")


def open_and_close(page, opener, close, check=None, item=None):
    """Opens a dialog by a key on its button, or on an item of the button's menu.

    Closed again, the focus stands where it was.
    """
    expect(opener).to_be_enabled()
    opener.press("Enter")
    if item:
        entry = page.get_by_role("menuitem", name=item, exact=True)
        expect(entry).to_be_enabled()
        check(page)
        expect(page.get_by_role("menuitem").first).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(entry).to_be_focused()
        # Esc gives the focus back, too.
        page.keyboard.press("Escape")
        expect(entry).to_be_hidden()
        expect(opener).to_be_focused()
        opener.press("Enter")
        expect(page.get_by_role("menuitem").first).to_be_focused()
        page.keyboard.press("End")
        expect(entry).to_be_focused()
        page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog.locator(":focus")).to_have_count(1)
    assert too_wide(page) <= 0
    box = dialog.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= page.viewport_size["width"]
    if check:
        check(page)
    if close == "Escape":
        page.keyboard.press("Escape")
    else:
        dialog.get_by_role("button", name=close, exact=True).press("Enter")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    assert opener.evaluate(FOCUS_IS_SEEN)


@pytest.mark.parametrize(("name", "item"), [("Resume", None), ("More actions", "Undo")])
def test_dialogs_of_an_ended_run_fit_and_give_the_focus_back(
    open_run, failed_run, check_accessibility, name, item
):
    page = open_run(failed_run, viewport=VIEWS["narrow"][0])
    opener = page.get_by_role("button", name=name, exact=True)
    open_and_close(page, opener, "Escape", check_accessibility, item)


def test_the_dialog_that_cancels_fits_and_gives_the_focus_back(
    open_run, waiting_run, check_accessibility
):
    page = open_run(waiting_run, viewport=VIEWS["narrow"][0])
    opener = page.get_by_role("button", name="Cancel run", exact=True)
    open_and_close(page, opener, "Escape", check_accessibility)
    open_and_close(page, opener, "Keep running")


@pytest.mark.parametrize("close", ["Escape", "Close"])
def test_the_sheet_gives_the_focus_back(open_run, runs, check_accessibility, close):
    page = open_run(runs["run"], viewport=VIEWS["narrow"][0])
    link = page.get_by_role("link", name="Execute again")
    link.focus()
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog")
    expect(sheet.locator(":focus")).to_have_count(1)
    assert too_wide(page) <= 0
    check_accessibility(page)
    if close == "Escape":
        page.keyboard.press("Escape")
    else:
        sheet.get_by_role("button", name=close).press("Enter")
    expect(sheet).to_be_hidden()
    expect(link).to_be_focused()


MOVING = """() => {
    window.moved = []
    const note = event => {
        for (const animation of event.target.getAnimations()) {
            const took = animation.effect.getComputedTiming().endTime
            if (took > 1) window.moved.push(`${event.target.className}: ${took} ms`)
        }
    }
    for (const name of ['animationstart', 'transitionrun']) addEventListener(name, note, true)
    for (const one of document.getAnimations()) note({ target: one.effect.target })
}"""


@pytest.mark.parametrize("wanted", ["no-preference", "reduce"])
def test_nothing_moves_for_those_who_want_no_motion(open_run, waiting_run, wanted):
    page = open_run(waiting_run)
    page.emulate_media(reduced_motion=wanted)
    expect(page.get_by_text("Running", exact=True)).to_be_visible()
    page.evaluate(MOVING)
    page.get_by_role("button", name="Cancel run", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("button", name="Keep running").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="Executed document").click()
    page.get_by_role("link", name="Waits.md").first.click()
    panel = page.locator("summary").first
    panel.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Waits")
    moved = page.evaluate("window.moved")
    assert bool(moved) == (wanted == "no-preference"), "\n".join(moved)


def test_normal_use_stays_below_the_rate_limit(integration, tmp_path_factory, open_page, sign_in):
    folder = tmp_path_factory.mktemp("limited")
    shutil.copytree(ROOT / "samples/runbooks", folder / "runbooks")
    settings = {"RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_PER_MINUTE": PER_MINUTE}
    with integration.running(folder, **settings) as limited:
        page = open_page("/", at=limited)
        asked, refused = [], []
        page.on("request", lambda r: asked.append(r.url) if "/api/" in r.url else None)
        page.on("response", lambda r: refused.append(r.url) if r.status == 429 else None)
        sign_in(page)
        main = page.get_by_role("navigation", name="Main")
        # More than anyone reads in a minute: every page twice, and two executions.
        for text in ("one", "two"):
            page.get_by_role("link", name="SimpleRunbook", exact=True).first.click()
            page.get_by_role("link", name="Execute", exact=True).click()
            page.get_by_label("TEST_VAR").fill(text)
            page.get_by_role("button", name="Execute", exact=True).click()
            expect(page.get_by_text("Succeeded").first).to_be_visible()
            main.get_by_role("link", name="Runs", exact=True).click()
            expect(page.get_by_role("region", name="Runs", exact=True)).to_be_visible()
            main.get_by_role("link", name="Admin", exact=True).click()
            expect(page.get_by_text("Ready", exact=True)).to_be_visible()
            main.get_by_role("link", name="Runbooks", exact=True).click()
            expect(page.get_by_role("link", name="SimpleRunbook", exact=True)).to_be_visible()
        # The streams are not counted; asking for the state and the lists again is, with the time.
        counted = [url for url in asked if not url.endswith(("/events", "/changes"))]
        page.context.close()
    assert not refused
    assert len(counted) < PER_MINUTE * 3 / 4, "\n".join(counted)
    print(f"{len(counted)} requests")
