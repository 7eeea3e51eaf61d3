"""On a phone, fingers have 44 pixels of height for all but links in sentences and documents."""

import pytest
from playwright.sync_api import expect

PHONE = {"width": 390, "height": 844}

# What a page shows in the end, by its address.
PAGES = {
    "/runbooks": "SimpleRunbook",
    "/runbooks?q=simple": "SimpleRunbook",
    "/runbook/language/Inputs.md": "Environment Requirements",
    "/runbook/language/Caller.md?view=history": "Succeeded",
    "/execute/language/Inputs.md": "Execute",
    "/runs": "Created",
    "/run/{caller}": "Succeeded",
    "/run/{called}": "Succeeded",
    "/run/nothing": "View all runs",
    "/compare/{caller}/{called}": "Status",
    "/connections": "lab-pve",
    "/connection/lab-pve": "Who may use it",
    "/toolkits": "Health",
    "/admin": "RUNBOOKS_DIR",
}

# The controls that are hit within less than 44 pixels of height: a control's room may be larger
# than its box. The lines of a document and of a log are dense.
SMALL = """() => {
    const inSentence = one => getComputedStyle(one).display === 'inline' &&
        [...one.parentNode.childNodes].some(node => node.nodeType === 3 && node.data.trim())
    const dense = '.markdown, [role=region][aria-label="Run output"], .visually-hidden, .v-field'
    const controls = 'main :is(a[href], button, summary, select, [type=checkbox])'
    const found = []
    for (const one of document.querySelectorAll(controls)) {
        if (one.closest(dense) || one.disabled || !one.checkVisibility()) continue
        if (inSentence(one)) continue
        one.scrollIntoView({ block: 'center', behavior: 'instant' })
        const box = one.getBoundingClientRect()
        const x = box.left + Math.min(box.width / 2, 40), y = box.top + box.height / 2
        for (const at of [y - 21, y + 21]) {
            const hit = document.elementFromPoint(x, at)
            const isBar = hit?.closest('.v-app-bar, .v-bottom-navigation')
            if (isBar || (one.closest('label') ?? one).contains(hit)) continue
            const [aimed, reached] = [one, hit].map(it => it?.outerHTML.slice(0, 120))
            found.push(`${aimed}: ${at - y} hits ${reached}`)
        }
    }
    return found
}"""


@pytest.fixture(scope="module")
def runs(client, start):
    caller = start("language/Caller.md")
    (called, *_) = client.get(f"/api/runs/{caller}").json()["children"]
    return {"caller": caller, "called": called["id"]}


@pytest.fixture(scope="module")
def connection(server):
    values = {"host": "192.0.2.1", "token_id": "root@pam!rb", "token_secret": "s3cret"}
    with server.client("dev-admin", roles=("admin",)) as admin:
        body = {"name": "lab-pve", "kind": "proxmox", "values": values}
        assert admin.post("/api/connections", json=body).status_code == 200
        yield
        admin.delete("/api/connections/lab-pve")


@pytest.mark.usefixtures("connection")
def test_fingers_hit_what_they_aim_at(open_page, sign_in, runs, guard):
    guard.allow("404")
    page = sign_in(open_page("/runbooks", viewport=PHONE, touch=True))
    small = []
    for path, text in PAGES.items():
        page.goto(path.format(**runs))
        expect(page.get_by_text(text).first).to_be_attached()
        expect(page.get_by_role("progressbar")).to_have_count(0)
        small += [f"{path}: {one}" for one in page.evaluate(SMALL)]
    page.goto("/execute/language/Machine.md")
    page.get_by_role("navigation", name="Pages of the form").get_by_text("Review").click()
    expect(page.get_by_role("button", name="Edit Place")).to_be_visible()
    small += [f"review: {one}" for one in page.evaluate(SMALL)]
    assert not small, "\n".join(small)
