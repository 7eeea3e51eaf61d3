"""What is fetched, from where, and how much of it."""

import gzip
import os
import threading
from contextlib import suppress

import pytest

from http_files import serving
from runbook.errors import CatalogueError
from runbook.toolkits import download
from runbook.toolkits.download import beside, fetch


def redirect(target):
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.end_headers()

    return answer


def test_files_and_urls_up_to_a_limit(tmp_path):
    (tmp_path / "large").write_bytes(bytes(101))
    with serving(tmp_path, {"/moved": redirect("/large")}) as url:
        for location in (f"{url}/large", f"{url}/moved", str(tmp_path / "large")):
            assert len(fetch(location, 101)) == 101
            with pytest.raises(CatalogueError):
                fetch(location, 100)
        with pytest.raises(CatalogueError):
            fetch(f"{url}/none", 1000)


@pytest.mark.parametrize(
    "location",
    ["{}/none", "{}/pipe", "{}", "\0", "http://[", "http://runbook.invalid/", "ftp://localhost/x"],
)
def test_what_is_not_fetched(tmp_path, location):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CatalogueError):
        fetch(location.format(tmp_path), 1000)


def test_each_redirect_is_judged_before_it_is_requested(tmp_path):
    asked = []
    with serving(tmp_path, {"/admin": lambda handler: asked.append(handler.path)}) as inner:
        target = inner.replace("127.0.0.1", "0.0.0.0") + "/admin"
        answers = {"/moved": redirect(target), "/loop": redirect("/loop")}
        with serving(tmp_path, answers) as url:
            for path in ("moved", "loop"):
                with pytest.raises(CatalogueError):
                    fetch(f"{url}/{path}", 1000)
    assert asked == []


def test_encoded_answers_are_refused(tmp_path):
    asked_for = []

    def answer(handler):
        asked_for.append(handler.headers["Accept-Encoding"])
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip, gzip")
        handler.end_headers()
        handler.wfile.write(gzip.compress(gzip.compress(b"{}")))

    with serving(tmp_path, {"/bomb": answer}) as url, pytest.raises(CatalogueError):
        fetch(f"{url}/bomb", 1000)
    assert asked_for == ["identity"]


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_the_whole_answer_has_a_deadline(tmp_path, monkeypatch, start):
    """The server sends a byte now and then for as long as somebody listens."""
    monkeypatch.setattr(download, "MOST_SECONDS", 0.2)
    done = threading.Event()

    def answer(handler):
        with suppress(OSError):
            handler.wfile.write(start)
            while not done.wait(0.05):
                handler.wfile.write(b"a")

    with serving(tmp_path, {"/slow": answer}) as url:
        try:
            with pytest.raises(CatalogueError):
                fetch(f"{url}/slow", 1000)
        finally:
            done.set()


def test_archives_beside_the_catalogue(tmp_path):
    here = os.path.realpath(tmp_path)
    assert beside(f"{here}/c.json", "lab.zip") == f"{here}/lab.zip"
    assert beside("https://a.example/kits/c.json", "lab.zip") == "https://a.example/kits/lab.zip"
    assert beside("https://a.example/c.json", "https://b.example/l") == "https://b.example/l"
    assert beside(f"{here}/c.json", "http://localhost/l") == "http://localhost/l"


@pytest.mark.parametrize(
    ("catalogue", "archive"),
    [
        ("{}/c.json", "../../etc/shadow"),
        ("{}/c.json", "/etc/passwd"),
        ("{}/c.json", "link"),
        ("{}/c.json", "."),
        ("{}/c.json", "\0"),
        ("{}/c.json", "file:///etc/passwd"),
        ("https://a.example/c.json", "http://["),
        ("https://a.example/c.json", "http://b.example/l"),
        ("https://a.example/c.json", "http://127.0.0.1/admin"),
        ("https://a.example/c.json", "https://[::ffff:127.0.0.1]/admin"),
        ("https://a.example/c.json", "//localhost./admin"),
    ],
)
def test_archives_elsewhere(tmp_path, catalogue, archive):
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(CatalogueError):
        beside(catalogue.format(tmp_path), archive)
