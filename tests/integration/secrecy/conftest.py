"""Secrets leave no trace: not in a log, an event, a record or a byte of the database.

What a script prints goes through every encoding there is a name for, and every sink is searched for
all of them: for the whole secret, its lines, and each longer part of letters and digits.
"""

import base64
import functools
import html
import inspect
import itertools
import json
import os
import re
import shlex
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

PART = re.compile(rb"[0-9A-Za-z]{8,}")
WALKS = 50


def tricky(number):
    """A secret like no other's, with all that is quoted or escaped somewhere."""
    return f"k3yStart{number}&<\"'/+ %$`\\ ü?=middlePart{number}~!endOfKey{number}"


def encodings(text):
    """Everything that text may look like once it was quoted, escaped or encoded."""
    data = text.encode()
    yield from (data, repr(text).encode(), repr(data).encode(), shlex.quote(text).encode())
    yield from (json.dumps(text).encode(), json.dumps(text, ensure_ascii=False).encode())
    yield json.dumps(text).replace("/", "\\/").encode()
    for escaped in (quote(text), quote(text, safe=""), quote_plus(text)):
        yield from (escaped.encode(), re.sub("%..", lambda m: m[0].lower(), escaped).encode())
    yield from (html.escape(text).encode(), html.escape(text, quote=False).encode())
    yield html.escape(text).replace("&#x27;", "&apos;").encode()
    yield from (data.hex().encode(), data.hex().upper().encode())
    yield from (ascii(text).encode(), json.dumps(json.dumps(text)).encode())
    yield from (data.hex(":").encode(), data.hex(" ").encode(), data.hex("-").upper().encode())
    yield "".join(f"&#{ord(character)};" for character in text).encode()
    yield from (base64.b64encode(base64.b64encode(data)), base64.b32encode(data))
    for before, after in itertools.product(range(3), range(3)):
        whole = b"\1" * before + data + b"\2" * after
        yield from (base64.b64encode(whole), base64.urlsafe_b64encode(whole))


def cores(data):
    """What each encoding of any bytes with `data` in them contains."""
    yield from (data, data.hex().encode(), data.hex().upper().encode())
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + data)
        core = encoded[(shift * 8 + 5) // 6 : (shift + len(data)) * 8 // 6]
        yield from (core, core.replace(b"+", b"-").replace(b"/", b"_"))


EVERY_FORM = f"""
import base64, html, itertools, json, os, re, shlex, sys
from urllib.parse import quote, quote_plus
{inspect.getsource(encodings)}
text = os.environ["PASSWORD"]
os.write(1, b"forms begin\\n")
for form, stream in itertools.product(encodings(text), (1, 2)):
    os.write(stream, b"<" + form + b">\\n")
for line in text.splitlines():
    os.write(1, b"line " + line.encode() + b"\\n")
for size in (1, 3, 7):
    for at in range(0, len(text.encode()), size):
        os.write(1, text.encode()[at : at + size])
    os.write(1, b"\\n")
for border in (4096, 8192, 65536):
    for shift in range(1, len(text), 5):
        os.write(1, b"." * (border - shift) + text.encode() + b"\\n")
os.write(1, base64.encodebytes(text.encode()))
os.write(1, b"forms end\\n")
"""


@functools.cache
def needles(secret):
    found = set()
    for text in (secret, *secret.splitlines()):
        found.update(encodings(text))
        for part in PART.findall(text.encode()):
            found.update(cores(part))
    return found


def caught(secret, data):
    """What of a secret is in these bytes, whatever it was made to look like."""
    return sorted(needle for needle in needles(secret) if needle in data)


def walk(folders, gone):
    """Path and content of every file; errors of what is not there any more go to `gone`."""
    for folder in folders:
        for parent, _names, names in os.walk(folder, onerror=gone.append):
            for path in (Path(parent, name) for name in names):
                try:
                    if path.is_file():
                        yield path, path.read_bytes()
                except FileNotFoundError as error:
                    gone.append(error)


def read_all(folders):
    """
    The path and the content of every file below folders that a server works in. What was removed or
    renamed on the way may have moved to where the walk had been: then it is walked once more.
    """
    for _ in range(WALKS):
        gone = []
        yield from walk(folders, gone)
        for error in gone:
            if not isinstance(error, FileNotFoundError):
                raise error
        if not gone:
            return
    raise AssertionError(f"files vanished in each of {WALKS} walks, at last {gone}")


class Sinks:
    """All that a server keeps and answers."""

    def __init__(self, server, client):
        self._server, self._client = server, client

    def files(self):
        """Everything on disk, but for the contents of artifacts."""
        kept = [self._server.data, self._server.runbooks, self._server.execution]
        for path, content in read_all(kept):
            if "artifacts" not in path.relative_to(self._server.folder).parts:
                yield str(path), content

    def answers(self, run_id):
        run = f"/api/runs/{run_id}"
        for path in ("", "/events", "/log", "/log?from=1&lines=1000", "/artifacts"):
            yield path, self._client.get(run + path).content
        for path in ("/api/runs?limit=200", "/api/runbooks", "/metrics"):
            yield path, self._client.get(path).content

    def all(self, *run_ids):
        yield "log of the server", "".join(self._server.log).encode()
        yield from self.files()
        for run_id in run_ids:
            yield from self.answers(run_id)

    def traces(self, secret, *run_ids):
        found = {}
        # A file that is read twice may have changed in between.
        for name, data in self.all(*run_ids):
            if parts := caught(secret, data):
                found.setdefault(name, set()).update(parts)
        return found


@pytest.fixture(scope="module")
def server(serve, tmp_path_factory):
    """One slot, and secrets of the server's own."""
    secrets = tmp_path_factory.mktemp("secrets")
    (secrets / "db").mkdir()
    (secrets / "db" / "password").write_text(tricky("File6") + "\n")
    with serve(
        tmp_path_factory.mktemp("server"),
        SECRETS_DIR=secrets,
        INVENTORY_TOKEN=tricky("Env5"),
        MAX_PARALLEL_RUNS=1,
    ) as server:
        yield server


@pytest.fixture
def sinks(server, client):
    return Sinks(server, client)


@pytest.fixture
def run_json(client):
    return lambda run_id: client.get(f"/api/runs/{run_id}").json()


@pytest.fixture
def add(write):
    """Write a runbook, unless told otherwise of the secret PASSWORD; the path that executes it."""

    def call(name, script, inputs="PASSWORD: {type: secret}", **more):
        return f"/api/runbooks/{write(name, script, inputs, **more)}/execute"

    return call


@pytest.fixture
def forms():
    """Everything that a text may look like, as bytes."""
    return encodings


@pytest.fixture
def every_form():
    """A Python script that prints PASSWORD in every form, in pieces, and around limits."""
    return EVERY_FORM


@pytest.fixture(name="caught")
def caught_():
    return caught


@pytest.fixture(name="tricky")
def tricky_():
    return tricky
