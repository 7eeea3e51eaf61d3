"""What a script prints and leaves is text, whatever it looks like: nothing of it runs."""

import base64
import json

from playwright.sync_api import expect

HOSTILE = [
    "<script>window.harmed = 1</script>",
    "<img src=x onerror='window.harmed = 2'>",
    "<img src='http://evil.invalid/pixel.png'>",
    "![pixel](http://evil.invalid/pixel.png)",
    "[click](javascript:window.harmed=3)",
    "<a href='javascript:window.harmed=4'>link</a>",
    "<svg onload='window.harmed=5'><script>window.harmed=6</script></svg>",
    "<style>body { display: none } @import 'http://evil.invalid/x.css';</style>",
    "<iframe srcdoc='<script>parent.harmed = 9</script>'></iframe>",
    "<form action='http://evil.invalid/'><input name=password></form>",
    "{{ constructor.constructor('window.harmed=12')() }}",
    "\x1b]8;;javascript:window.harmed=13\x1b\\link\x1b]8;;\x1b\\",
    "\x1b[31m<b onmouseover=window.harmed=14>red</b>\x1b[0m",
]
SCRIPT = """\
import base64, json, os
import runbook

hostile = json.loads(base64.b64decode("{corpus}"))
for number, text in enumerate(hostile):
    print(text)
    runbook.output(f"hostile_{{number}}", text)
    runbook.summary(text + "\\n\\n")
runbook.progress(40, hostile[1])
folder = os.environ["RUNBOOK_ARTIFACTS"]
for name in ("<img src=x onerror=window.harmed=20>.html", "page.svg"):
    with open(f"{{folder}}/{{name}}", "w") as file:
        file.write("<svg xmlns='http://www.w3.org/2000/svg' onload='window.harmed=21'/>")
raise SystemExit(hostile[0])
"""


def test_nothing_of_a_run_is_executed(
    server, open_page, sign_in, check_accessibility, hostile_html
):
    hostile = hostile_html + HOSTILE
    corpus = base64.b64encode(json.dumps(hostile).encode()).decode()
    script = SCRIPT.format(corpus=corpus)
    ref = server.add("Hostile", script, language="python")
    with server.client() as client:
        done = client.post(f"/api/runbooks/{ref}").json()
    assert done["status"] == "failed"
    assert len(done["outputs"]) == len(hostile)

    page = sign_in(open_page(f"/run/{done['run_id']}"))

    log = page.get_by_role("region", name="Run output")
    expect(log).to_contain_text(HOSTILE[0])
    expect(log).to_contain_text("<b onmouseover=window.harmed=14>red</b>")
    expect(page.get_by_text("page.svg")).to_be_visible()
    expect(page.get_by_text("<img src=x onerror=window.harmed=20>.html")).to_be_visible()
    assert page.evaluate("window.harmed") is None
    foreign = page.locator(".markdown a[href^='http']")
    expect(foreign.first).to_be_visible()
    assert page.locator(".markdown a[href^='http'][rel='noopener noreferrer']").count() == (
        foreign.count()
    )
    assert page.locator("main iframe, main form[action], main style, main img").count() == 0
    assert page.locator("a[href^='javascript:' i]").count() == 0
    check_accessibility(page)
