"""The web app's part of `make bench`: a log of a million lines in a real browser.

Compares it with a log of a thousand lines where possible, measuring both alternately.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, sync_playwright

from bench import Figure, Server, table, write

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
FEW, MANY = 1_000, 1_000_000
PRINTS = """
for n in range(1, {lines}):
    print(f"{{n:07d}} worker-{{n % 16}} handled request {{n * 7919 % 99991}} in {{n % 977}} ms")
print("the last line")
"""
# Like Lighthouse's slow 4G: 1.6 Mbit/s.
SLOW_LINE = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 200_000,
    "uploadThroughput": 93_750,
}
SLOW_PAGES = {"/runbooks": "Small.md", "/runbook/Small.md": "the last line"}
SEEN = """new PerformanceObserver(list => window.seen = list.getEntries().at(-1).startTime)
    .observe({type: 'largest-contentful-paint', buffered: true})"""
# Frames drawn while scrolling through the log in two seconds.
SCROLL = """box => new Promise(resolve => {
    const begun = performance.now(), stamps = []
    const draw = now => {
        stamps.push(now)
        const part = Math.min(1, (now - begun) / 2000)
        box.scrollTo(0, part * box.scrollHeight)
        if (part < 1) return requestAnimationFrame(draw)
        const gaps = stamps.slice(1).map((stamp, at) => stamp - stamps[at]).sort((a, b) => a - b)
        resolve({frames: gaps.length, slow: gaps[Math.floor(gaps.length * 0.95)]})
    }
    requestAnimationFrame(draw)
})"""


@dataclass(frozen=True)
class Pair:
    """A measurement of the long and the short log, in seconds."""

    long: float
    short: float

    def __str__(self) -> str:
        return f"{self.long:.2f} s = {self.long / self.short:.1f} x that of {FEW:,} lines"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help="update docs/performance.md")
    given = arguments.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(Path(folder), MAX_OUTPUT_SIZE_BYTES=str(200 * 1024 * 1024)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        text = table(measure(server, browser))
        browser.close()
    print(text)
    if given.write:
        write("figures of the web app", text)


def measure(server: Server, browser: Browser) -> list[Figure]:
    page = browser.new_page(base_url=f"http://127.0.0.1:{server.port}")
    script_kb = first_load_kb(page)
    page.get_by_role("button", name="developer", exact=True).click()
    page.get_by_role("navigation", name="Main").wait_for()
    server.add("Small", PRINTS.format(lines=2), language="python")
    slow = [slow_load(page, path, text) for path, text in SLOW_PAGES.items()]
    client = server.client()
    runs = {lines: client.execute(add(server, lines))[0]["run_id"] for lines in (FEW, MANY)}
    opened, found, ended = [], [], []
    for lines in [FEW, MANY] * 3:
        opened.append(seconds(lambda lines=lines: open_run(page, runs[lines])))
        ended.append(seconds(lambda: to_the_end(page)))
        found.append(seconds(lambda: search(page, "last line", "1 of 1 hit")))
    nodes = page.evaluate("document.querySelectorAll('*').length")
    open_run(page, runs[MANY])
    scrolled = log_of(page).evaluate(SCROLL)
    heap = heap_mb(page)
    behind = followed(page, server)
    return [
        Figure("JavaScript for the first page, compressed", f"{script_kb:.0f} KB", "300 KB"),
        *slow,
        Figure("time to open a log of 1,000,000 lines", str(pair(opened)), "2 s"),
        Figure("search for a match in its last line", str(pair(found)), "0.5 s"),
        Figure("jump to its end", str(pair(ended)), ""),
        Figure(
            "scroll through it in two seconds",
            f"{scrolled['frames'] / 2:.0f} frames/s, 95 % within {scrolled['slow']:.0f} ms",
            "60 frames/s",
        ),
        Figure("DOM elements", f"{nodes:,}", "2,000"),
        Figure("JavaScript heap", f"{heap:.0f} MB", "300 MB"),
        Figure("follow it live: delay of the last line", behind, ""),
    ]


def pair(values: list[float]) -> Pair:
    """The medians of alternating values for the short and the long log."""
    return Pair(statistics.median(values[1::2]), statistics.median(values[::2]))


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def add(server: Server, lines: int) -> str:
    return server.add(f"Lines{lines}", PRINTS.format(lines=lines), language="python")


def log_of(page: Page) -> Locator:
    return page.get_by_role("region", name="Output of the run")


def first_load_kb(page: Page) -> float:
    """Compressed size of the scripts loaded until the sign-in page is shown."""
    page.goto("/")
    page.get_by_role("button", name="developer", exact=True).wait_for()
    return (
        page.evaluate(
            "performance.getEntriesByType('resource').filter(entry => entry.name.endsWith('.js'))"
            ".reduce((sum, entry) => sum + entry.encodedBodySize, 0)"
        )
        / 1000
    )


def slow_load(page: Page, path: str, text: str) -> Figure:
    """Largest Contentful Paint of a page on a slow connection with an empty cache."""
    context = page.context.browser.new_context(base_url=page.url)
    fresh = context.new_page()
    session = page.evaluate("JSON.stringify(sessionStorage)")
    fresh.add_init_script(f"Object.assign(sessionStorage, {session}); {SEEN}")
    context.new_cdp_session(fresh).send("Network.emulateNetworkConditions", SLOW_LINE)
    fresh.goto(path, wait_until="commit")
    fresh.get_by_text(text).first.wait_for()
    fresh.evaluate("new Promise(drawn => requestAnimationFrame(() => setTimeout(drawn)))")
    seen = fresh.evaluate("window.seen") / 1000
    context.close()
    name = path.replace("Small", "NAME")
    return Figure(
        f"Largest Contentful Paint of `{name}`, at 1.6 Mbit/s and 150 ms", f"{seen:.1f} s", "2.5 s"
    )


def open_run(page: Page, run_id: str) -> None:
    page.goto(f"/run/{run_id}")
    page.get_by_text("0000001 worker-1 ").wait_for()


def to_the_end(page: Page) -> None:
    page.keyboard.press("G")
    page.get_by_text("the last line", exact=True).wait_for()


def search(page: Page, text: str, count: str) -> None:
    page.keyboard.press("/")
    page.keyboard.insert_text(text)
    page.get_by_text(count, exact=True).wait_for()


def heap_mb(page: Page) -> float:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return session.send("Runtime.getHeapUsage")["usedSize"] / 1e6


def followed(page: Page, server: Server) -> str:
    """How long after a run finishes a page that follows it shows the last line."""
    page.goto(f"/execute/Lines{MANY}.md")
    page.get_by_role("button", name="Execute", exact=True).click()
    page.get_by_text("the last line", exact=True).wait_for(timeout=120_000)
    seen = time.time()
    run = json.loads(server.client().call("GET", f"/api/runs/{page.url.rpartition('/')[2]}"))
    begun, ended = (datetime.fromisoformat(run[at]) for at in ("started_at", "finished_at"))
    behind = max(0.0, seen - ended.timestamp())
    return f"{behind:.2f} s, after {(ended - begun).total_seconds():.1f} s of output"


if __name__ == "__main__":
    main()
