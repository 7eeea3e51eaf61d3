"""How requests to NetBox are sent, and what its refusals become. Needs the extra netbox."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping, Sequence
from ipaddress import ip_interface
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from runbook.connectors.effects import plan_change
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.transport import PASSED_ON, code_and_effect, reason_of, verifies

Json = Any

NOUNS = {
    "ip-addresses": "IP address",
    "prefixes": "prefix",
    "vlans": "VLAN",
    "virtual-machines": "virtual machine",
    "device-types": "device type",
    "device-roles": "device role",
    "manufacturers": "manufacturer",
}
SHOWN = ("name", "address", "prefix", "model", "vid", "slug")
"""The first of these that an object has is what the plan calls it."""
TEXT_LIMIT = 500
PLACE = re.compile(r".*/api/(?P<path>[^/]+/(?P<kind>[^/]+))/(?:(?P<id>\d+)/)?(?P<rest>.*)")


class NetBoxSession(requests.Session):
    """Sends requests with a timeout; whatever goes wrong raises ConnectorError."""

    def __init__(self, name: str, context: ssl.SSLContext, *, timeout_s: float) -> None:
        super().__init__()
        self.connection = name
        self.timeout_s = timeout_s
        # Neither a proxy nor a .netrc of the machine: it could replace our token.
        self.trust_env = False
        self.verify = verifies(context)
        self.mount("https://", _Adapter(context))

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> Any:
        options.setdefault("timeout", self.timeout_s)
        changing = str(method).upper() not in ("GET", "OPTIONS", "HEAD")
        # A redirected change would be sent again as a GET, and nothing would change.
        options["allow_redirects"] = not changing
        response = self._sent(method, url, *args, **options)
        if response.is_redirect:
            where = response.headers.get("Location", "another address")
            text = f"NetBox redirects to {where}: use this address in the connection"
            raise ConnectorError(text, ErrorCode.INVALID, nothing_changed=True)
        # pynetbox returns None for an object that doesn't exist.
        if not response.ok and (changing or response.status_code != 404):
            raise refusal(response)
        if response.ok and response.content and not _is_json(response):
            text = f"{response.url} doesn't answer like NetBox: check the address"
            raise ConnectorError(text, ErrorCode.SERVER)
        return response

    def _sent(self, *args: Any, **options: Any) -> requests.Response:
        try:
            return super().request(*args, **options)
        except requests.exceptions.RequestException as error:
            code, unsent = code_and_effect(error)
            match code:
                case ErrorCode.TLS:
                    text = f"The certificate of NetBox can't be verified: {reason_of(error)}"
                case ErrorCode.TIMEOUT:
                    text = f"NetBox didn't answer within {self.timeout_s:g} s"
                case _:
                    text = f"NetBox can't be reached: {reason_of(error)}"
            raise ConnectorError(text, code, nothing_changed=unsent) from None


class PlanningSession(NetBoxSession):
    """Reads as usual. Each change becomes a line of the plan, and an answer like NetBox's."""

    def __init__(self, name: str, context: ssl.SSLContext, *, timeout_s: float) -> None:
        super().__init__(name, context, timeout_s=timeout_s)
        self._planned: set[str] = set()

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **options: Any) -> Any:
        verb, address = str(method).upper(), str(url)
        if verb in ("GET", "OPTIONS", "HEAD"):
            response = super().request(method, url, *args, **options)
            return self._without_planned(address, response)
        place = PLACE.fullmatch(urlsplit(address).path)
        if place is None:
            text = f"A dry run can't tell what {verb} {address} would change"
            raise ConnectorError(text, ErrorCode.INVALID)
        return self._plan(verb, address, place, options)

    def _plan(
        self, verb: str, url: str, place: re.Match[str], options: Mapping[str, Any]
    ) -> requests.Response:
        given = options.get("json") or {}
        if verb == "POST":
            items = given if isinstance(given, list) else [given]
            made = self._offered(url, items, options) if place["rest"] else items
            answers = [{"id": 0, "url": url, **item} for item in made]
            for item in made:
                self._say(verb, place, item)
            return _response(201, answers if isinstance(given, list) else answers[0])
        headers = options.get("headers")
        known = super().request("GET", url, headers=headers)
        if not known.ok:
            raise refusal(known)
        now = known.json()
        self._say(verb, place, {**now, "changes": given})
        return _response(204, None) if verb == "DELETE" else _response(200, {**now, **given})

    def _offered(self, url: str, items: list[Json], options: Mapping[str, Any]) -> list[Json]:
        """What NetBox would allocate: the first that are free now."""
        response = self.request("GET", url, headers=options.get("headers"))
        free = response.json()
        if len(free) < len(items):
            text = "Insufficient resources are available to satisfy the request"
            raise ConnectorError(text, ErrorCode.FULL)
        return [{**item, **offer} for item, offer in zip(items, free, strict=False)]

    def _without_planned(self, url: str, response: requests.Response) -> requests.Response:
        """Addresses that this dry run has planned are no longer free."""
        if not urlsplit(url).path.endswith("/available-ips/") or not response.ok:
            return response
        free = [it for it in response.json() if _host(it["address"]) not in self._planned]
        return _response(200, free)

    def _say(self, verb: str, place: re.Match[str], item: Json) -> None:
        kind = "ip-addresses" if place["rest"] else place["kind"]
        noun = NOUNS.get(kind, kind.removesuffix("s").replace("-", " "))
        shown = next((str(item[name]) for name in SHOWN if item.get(name)), place["id"] or "")
        match verb:
            case "POST":
                if kind == "ip-addresses":
                    self._planned.add(_host(str(item["address"])))
                plan_change(f"create {noun} {shown} in {self.connection}{_details(item)}")
            case "DELETE":
                plan_change(f"delete {noun} {shown} from {self.connection}")
            case _:
                changes = _details(item["changes"], but=())
                plan_change(f"change {noun} {shown} in {self.connection}{changes}")


class _Adapter(HTTPAdapter):
    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        options["ssl_context"] = self._context
        super().init_poolmanager(*args, **options)


def refusal(response: requests.Response) -> ConnectorError:
    """What NetBox says against a request, with its messages for each field."""
    said = _said(response)
    code = _code(response, said)
    answered = response.status_code not in PASSED_ON
    # What the server reports of itself says nothing about the change.
    refused = answered and response.status_code < 500
    what = "doesn't accept the token" if code is ErrorCode.AUTH else "refuses the request"
    text = f"NetBox {what}: {said}" if refused else f"NetBox failed: {said}"
    return ConnectorError(
        text, code, nothing_changed=refused, answered=answered, fields=_fields(response)
    )


def _code(response: requests.Response, said: str) -> ErrorCode:
    match response.status_code:
        case 400:
            return ErrorCode.INVALID
        case 401:
            return ErrorCode.AUTH
        case 403:
            about_token = "token" in said.lower() or "credentials" in said
            return ErrorCode.AUTH if about_token else ErrorCode.REFUSED
        case 404:
            return ErrorCode.NOT_FOUND
        case 409:
            allocating = "/available-" in str(response.url)
            return ErrorCode.FULL if allocating else ErrorCode.CONFLICT
    return ErrorCode.SERVER


def _said(response: requests.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, dict) and body:
        texts = body.get("detail") or body.get("error")
        found = str(texts) if texts else "; ".join(_field_errors(body))
        return found[:TEXT_LIMIT]
    if isinstance(body, list) and body:
        return "; ".join(text for item in body for text in _field_errors(item))[:TEXT_LIMIT]
    return f"HTTP {response.status_code} {response.reason}"


def _fields(response: requests.Response) -> dict[str, str]:
    try:
        body = response.json()
    except ValueError:
        return {}
    if response.status_code != 400 or not isinstance(body, dict):
        return {}
    return {name: _joined(texts) for name, texts in body.items()}


def _field_errors(body: Json) -> list[str]:
    if not isinstance(body, dict):
        return [str(body)]
    return [
        _joined(texts) if name in _WHOLE else f"{name}: {_joined(texts)}"
        for name, texts in body.items()
    ]


_WHOLE = frozenset({"non_field_errors", "__all__"})


def _joined(texts: Json) -> str:
    return ", ".join(map(str, texts)) if isinstance(texts, list) else str(texts)


def _details(item: Mapping[str, Json], but: Sequence[str] = SHOWN) -> str:
    """What the plan says of the values, without those that it says anyway."""
    unsaid = {*but, "id", "url", "family", "vrf"}
    told = [
        f"{name} {_plain(value)}"
        for name, value in item.items()
        if name not in unsaid and value not in (None, "", [], {})
    ]
    return f" ({', '.join(told)})" if told else ""


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _is_json(response: requests.Response) -> bool:
    return response.headers.get("Content-Type", "").startswith("application/json")


def _host(address: str) -> str:
    return str(ip_interface(address).ip)


def _response(status: int, body: Json) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = b"" if body is None else json.dumps(body).encode()  # noqa: SLF001 - no other way to make one
    return response
