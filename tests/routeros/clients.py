"""Clients that others wrote, behind one face: words go in, rows of text come out."""

import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path

import librouteros
import routeros_api
from librouteros.exceptions import TrapError

from needs import NODE

HERE = Path(__file__).parent
MODULES = HERE.parents[1] / "src/web/node_modules"
USER, PASSWORD = "admin", "pass word"


class RefusedError(Exception):
    """The router refused the command, in these words."""


class Librouteros:
    knows_empty = True

    def __init__(self, router, *, challenge=False):
        self._api = librouteros.connect(
            host=router.host,
            port=router.api_port,
            username=USER,
            password=PASSWORD,
            encoding="UTF-8",
            login_method=librouteros.login.token if challenge else librouteros.login.plain,
        )

    def call(self, command, words=None, queries=()):
        said = [f"={name}={value}" for name, value in (words or {}).items()]
        try:
            rows = tuple(self._api.rawCmd(command, *said, *(f"?{one}" for one in queries)))
        except TrapError as error:
            raise RefusedError(str(error)) from error
        return [{name: _text(value) for name, value in row.items()} for row in rows]

    def close(self):
        self._api.close()
        with suppress(OSError):
            self._api.protocol.transport.sock.close()


class Queries:
    """routeros-api keeps queries in a set, but their order matters."""

    def __init__(self, queries):
        self._words = [f"?{one}".encode() for one in queries]

    def get_api_format(self):
        return self._words


class RouterosApi:
    knows_empty = True

    def __init__(self, router, *, challenge=False):
        self._pool = routeros_api.RouterOsApiPool(
            router.host,
            username=USER,
            password=PASSWORD,
            port=router.api_port,
            plaintext_login=not challenge,
        )
        self._api = self._pool.get_api()

    def call(self, command, words=None, queries=()):
        path, _, name = command.rpartition("/")
        said = {key: str(value).encode() for key, value in (words or {}).items()}
        try:
            answer = self._api.get_binary_resource(path).call(name, said, {}, [Queries(queries)])
        except routeros_api.exceptions.RouterOsApiError as error:
            raise RefusedError(str(error)) from error
        done = answer.done_message
        return [_decoded(row) for row in [*answer, *([done] if done else [])]]

    def close(self):
        self._pool.disconnect()


class NodeRouteros:
    """A process that reads a command a line."""

    knows_empty = False
    """1.6.9 ends the connection when a router says `!empty`."""

    def __init__(self, router, *, challenge=False):
        self._process = subprocess.Popen(
            [NODE, str(HERE / "node_client.cjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], "NODE_PATH": str(MODULES)},
        )
        first = {"host": router.host, "port": router.api_port, "user": USER, "password": PASSWORD}
        self._ask(first)

    def call(self, command, words=None, queries=()):
        said = [f"={name}={value}" for name, value in (words or {}).items()]
        return self._ask([command, *said, *(f"?{one}" for one in queries)])

    def _ask(self, what):
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise RefusedError(answer["error"])
        return answer["rows"]

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)


CLIENTS = {"librouteros": Librouteros, "routeros-api": RouterosApi, "node-routeros": NodeRouteros}


def _text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _decoded(row):
    """routeros-api calls `.id` id."""
    return {".id" if name == "id" else name: value.decode() for name, value in row.items()}
