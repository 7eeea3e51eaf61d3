"""The endpoint's HTTP side: tokens, paging, and NetBox's answers to what it refuses."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

from runbook.lab.ipam.database import Database, InUseError
from runbook.lab.ipam.filters import filtered
from runbook.lab.ipam.kinds import InvalidError, Json, UnknownObjectError
from runbook.lab.ipam.models import BY_PATH, Model
from runbook.lab.ipam.rules import first_free
from runbook.lab.ipam.views import full

VERSION = "4.7.3"
"""The version of NetBox whose answers it gives."""
PAGE, LARGEST_PAGE = 50, 1000
MOST_BYTES = 1 << 20
PATH = re.compile(r"/api/(?P<path>[a-z-]+/[a-z-]+)/(?:(?P<id>\d+)/)?(?P<rest>available-ips/)?")


@dataclass(frozen=True)
class Answer:
    status: int
    body: Json = None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, list[str]]
    authorization: str = ""
    body: bytes = b""


class Endpoint:
    """Answers requests. `on_request` sees each one that has a valid token."""

    def __init__(
        self,
        database: Database,
        tokens: Iterable[str],
        on_request: Callable[[Request], None] = lambda _: None,
    ) -> None:
        self.database = database
        self._accepted = {
            f"Bearer {it}" if it.startswith("nbt_") else f"Token {it}" for it in tokens
        }
        self._on_request = on_request

    def answer(self, request: Request) -> Answer:
        if refusal := self._refusal(request.authorization):
            return Answer(403, {"detail": refusal})
        self._on_request(request)
        if request.path == "/api/status/":
            return Answer(200, {"netbox-version": VERSION, "plugins": {}})
        found = PATH.fullmatch(request.path)
        model = BY_PATH.get(found["path"]) if found else None
        if found is None or model is None:
            return Answer(404, {"detail": "Not found."})
        with self.database.lock:
            return self._answered(model, found, request)

    def _answered(self, model: Model, found: re.Match[str], request: Request) -> Answer:
        try:
            return self._answer(model, found, request)
        except InvalidError as invalid:
            return Answer(400, invalid.errors)
        except UnknownObjectError:
            return Answer(404, {"detail": f"No {model.title} matches the given query."})
        except InUseError as used:
            count = len(used.users)
            text = f"Unable to delete object. {count} dependent objects were found: "
            return Answer(409, {"detail": text + ", ".join(used.users)})
        except ValueError as error:
            return Answer(400, {"detail": f"JSON parse error - {error}"})

    def _refusal(self, authorization: str) -> str | None:
        if authorization in self._accepted:
            return None
        if authorization.startswith("Bearer "):
            return "Invalid v2 token"
        if authorization.startswith("Token "):
            return "Invalid v1 token"
        return "Authentication credentials were not provided."

    def _answer(self, model: Model, found: re.Match[str], request: Request) -> Answer:
        if found["rest"]:
            return self._available(model, int(found["id"] or 0), request)
        if found["id"] is None:
            return self._collection(model, request)
        number = int(found["id"])
        match request.method:
            case "GET":
                return Answer(
                    200, full(self.database, model, self.database.get(model.path, number))
                )
            case "PATCH":
                self.database.get(model.path, number)
                row = self.database.change(model, number, _object(request.body))
                return Answer(200, full(self.database, model, row))
            case "DELETE":
                self.database.delete(model.path, number)
                return Answer(204)
        return _not_allowed(request)

    def _collection(self, model: Model, request: Request) -> Answer:
        if request.method == "POST":
            return self._create(model, _json(request.body))
        if request.method != "GET":
            return _not_allowed(request)
        rows = filtered(self.database, model, request.query)
        limit, offset = _limit(request.query), _whole(request.query, "offset", 0)
        page = rows[offset : offset + limit]
        query = {k: v for k, v in request.query.items() if k not in ("limit", "offset")}

        def link(start: int) -> str:
            place = {"limit": [limit], "offset": [start]} if start else {"limit": [limit]}
            pairs = urlencode({**query, **place}, doseq=True)
            return f"{request.path}?{pairs}"

        return Answer(
            200,
            {
                "count": len(rows),
                "next": link(offset + limit) if offset + limit < len(rows) else None,
                "previous": link(max(0, offset - limit)) if offset else None,
                "results": [full(self.database, model, row) for row in page],
            },
        )

    def _create(self, model: Model, given: Json) -> Answer:
        items = given if isinstance(given, list) else [given]
        with self.database.all_or_nothing():
            rows = [self.database.create(model, _mapping(item)) for item in items]
        made = [full(self.database, model, row) for row in rows]
        return Answer(201, made if isinstance(given, list) else made[0])

    def _available(self, model: Model, number: int, request: Request) -> Answer:
        if model.path != "ipam/prefixes":
            return Answer(404, {"detail": "Not found."})
        prefix = self.database.get(model.path, number)
        if request.method == "GET":
            free = first_free(self.database, prefix, _limit(request.query))
            return Answer(200, [self._offered(prefix, address) for address in free])
        if request.method != "POST":
            return _not_allowed(request)
        given = _json(request.body)
        items = given if isinstance(given, list) else [given]
        free = first_free(self.database, prefix, len(items))
        if len(free) < len(items):
            text = "Insufficient resources are available to satisfy the request"
            return Answer(409, {"detail": text})
        asked = [
            {**_mapping(item), "address": address, "vrf": prefix["vrf"]}
            for item, address in zip(items, free, strict=True)
        ]
        addresses = BY_PATH["ipam/ip-addresses"]
        return self._create(addresses, asked if isinstance(given, list) else asked[0])

    def _offered(self, prefix: Json, address: str) -> Json:
        vrf = prefix["vrf"]
        return {
            "family": 6 if ":" in address else 4,
            "address": address,
            "vrf": None if vrf is None else self.database.brief("ipam/vrfs", vrf),
        }


def _not_allowed(request: Request) -> Answer:
    return Answer(405, {"detail": f'Method "{request.method}" not allowed.'})


def _json(body: bytes) -> Json:
    return json.loads(body or b"{}")


def _mapping(item: Json) -> Mapping[str, Json]:
    if isinstance(item, dict):
        return item
    text = f"Invalid data. Expected a dictionary, but got {type(item).__name__}."
    raise InvalidError({"non_field_errors": [text]})


def _object(body: bytes) -> Mapping[str, Json]:
    return _mapping(_json(body))


def _limit(query: Mapping[str, list[str]]) -> int:
    return min(_whole(query, "limit", PAGE) or LARGEST_PAGE, LARGEST_PAGE)


def _whole(query: Mapping[str, list[str]], name: str, default: int) -> int:
    value = query.get(name, [""])[-1]
    return int(value) if value.isdecimal() else default


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "runbook-lab"
    endpoint: ClassVar[Endpoint]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(min(length, MOST_BYTES))
        request = Request(
            self.command,
            parts.path,
            parse_qs(parts.query, keep_blank_values=True),
            self.headers.get("Authorization", ""),
            body,
        )
        self._send(self.endpoint.answer(request))

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _send(self, answer: Answer) -> None:
        base = f"http://{self.headers.get('Host', '')}"
        data = b"" if answer.status == HTTPStatus.NO_CONTENT else _encoded(answer.body, base)
        self.send_response(answer.status)
        self.send_header("API-Version", ".".join(VERSION.split(".")[:2]))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Requests aren't logged: they hold tokens."""


def _encoded(body: Json, base: str) -> bytes:
    return json.dumps(_with_links(body, base), ensure_ascii=False).encode()


def _with_links(value: Json, base: str) -> Json:
    """Links are paths until the server's address is known."""
    if isinstance(value, list):
        return [_with_links(item, base) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base + item
        if name in _LINKS and isinstance(item, str) and item.startswith("/")
        else _with_links(item, base)
        for name, item in value.items()
    }


_LINKS = frozenset({"url", "display_url", "next", "previous"})


class Server(ThreadingHTTPServer):
    """The endpoint on a port of the loopback; port 0 chooses a free one."""

    daemon_threads = True
    # All of many callers that connect at the same moment.
    request_queue_size = 128

    def __init__(self, endpoint: Endpoint, port: int = 0) -> None:
        handler = type("Handler", (_Handler,), {"endpoint": endpoint})
        super().__init__(("127.0.0.1", port), handler)
        self.endpoint = endpoint

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is none of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"
