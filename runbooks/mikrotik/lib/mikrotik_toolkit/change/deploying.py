"""Gives a router a certificate for its services, and takes it back if it can't be reached then."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import runbook
from mikrotik_toolkit import given, known
from mikrotik_toolkit.change import certificates
from mikrotik_toolkit.change.certificates import Material
from runbook.connectors import connection, routeros
from runbook.connectors.effects import earlier, effect
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros.device import Row
from runbook.connectors.routeros.router import Router

CERTIFICATES, SERVICES = "/certificate", "/ip/service"
EFFECT, REMOVAL = "certificate", "certificate removal"
PREFIX = "runbook-"
SIGN = "sign"
API = "api-ssl"


def main() -> None:
    material = material_of()
    services = given.words("SERVICES")
    with routeros.connect("ROUTER") as router:
        before = used(router, services)
        _settle(router, before)
        name = imported(router, material)
        use(router, name, before, material)
        if given.flag("REMOVE_OLD"):
            remove_old(router, {name, *before.values()})
    if not runbook.dry_run():
        print(f"{known.name_of()} uses {name} for {', '.join(services)}")
    runbook.output("NAME", name)
    runbook.output("FINGERPRINT", material.fingerprint)
    runbook.output("VALID_UNTIL", material.certificate.not_valid_after_utc.isoformat())


def material_of() -> Material:
    if given.text("MODE") != SIGN:
        return certificates.given_material(given.text("CERTIFICATE"), os.environ["KEY"])
    host = str(connection.read("ROUTER").values.get("host", ""))
    names = [*filter(None, [host]), *given.words("NAMES")]
    days = given.whole("DAYS", 825)
    return certificates.signed_material(given.text("CA"), os.environ["CA_KEY"], names, days)


def used(router: Router, services: list[str]) -> dict[str, str]:
    """The certificate of each service now."""
    rows = {row["name"]: row for row in router.print(SERVICES) if row.get("name") in services}
    if missing := [name for name in services if name not in rows]:
        raise given.invalid(f"The router has no service {', '.join(missing)}")
    return {name: row.get("certificate", "") for name, row in rows.items()}


def imported(router: Router, material: Material) -> str:
    """The name under which the router has it, with its key."""
    if (row := row_of(router, material)) is not None and known.is_on(row, "private-key"):
        return row["name"]
    name = PREFIX + material.fingerprint[:12]
    probe = {"part": "import", "fingerprint": material.fingerprint}
    with effect(f"import certificate {name} to {known.name_of()}", key=EFFECT, probe=probe):
        for suffix, content in (("crt", material.pem), ("key", material.key_pem)):
            with uploaded(router, f"{name}.{suffix}.pem", content) as file:
                values = {"file-name": file, "passphrase": "", "name": name}
                router.call(f"{CERTIFICATES}/import", values)
    if router.dry_run:
        return name
    row = row_of(router, material)
    if row is None or not known.is_on(row, "private-key"):
        what = "key" if row else "certificate"
        raise ConnectorError(f"The router didn't take the {what}", ErrorCode.DEVICE_ERROR)
    return row["name"]


@contextmanager
def uploaded(router: Router, name: str, content: bytes) -> Iterator[str]:
    """A file that is removed afterwards: it may be a key."""
    router.put(name, content)
    try:
        yield name
    finally:
        if not router.dry_run:
            router.remove_file(name)


def row_of(router: Router, material: Material) -> Row | None:
    return next(iter(_rows_with(router, material.fingerprint)), None)


def _rows_with(router: Router, fingerprint: str) -> list[Row]:
    return [
        row
        for row in router.print(CERTIFICATES)
        if row.get("fingerprint", "").replace(":", "").lower() == fingerprint
    ]


def use(router: Router, name: str, before: Mapping[str, str], material: Material) -> None:
    """Let the services use it; if it turns out that they can't be reached then, take it back."""
    changing = {service: old for service, old in before.items() if old != name}
    if not changing:
        return
    probe = {"part": "use", "name": name, "before": changing}
    what = f"use {name} for {', '.join(changing)} of {known.name_of()}"
    with effect(what, key=EFFECT, probe=probe):
        for service in changing:
            set_service(router, service, name)
        try:
            verify(router, material, list(before))
        except ConnectorError as error:
            # By the connection that is open still.
            for service, old in changing.items():
                set_service(router, service, old)
            text = f"{error.message}. The certificate from before is used again"
            raise ConnectorError(text, error.code, nothing_changed=True) from None


def _settle(router: Router, now: Mapping[str, str]) -> None:
    """What an earlier attempt has done, or not."""
    for change in earlier(EFFECT):
        if change.probe["part"] == "use":
            is_there = change.probe["name"] in now.values()
        else:
            is_there = bool(_rows_with(router, str(change.probe["fingerprint"])))
        change.adopt() if is_there else change.did_not_happen()


def set_service(router: Router, service: str, name: str) -> None:
    rows = router.print(SERVICES, where={"name": service})
    router.set(SERVICES, rows[0][".id"], {"certificate": name or "none"})


def verify(router: Router, material: Material, services: list[str]) -> None:
    """The service shows the certificate, and this connection accepts it."""
    if router.dry_run or API not in services:
        return
    if connection.read("ROUTER").values.get("tls", "verified") == "plain":
        return
    shown = shown_by(router.address.host, router.address.port)
    if shown != material.fingerprint:
        text = f"{router.address} shows another certificate than the new one"
        raise ConnectorError(text, ErrorCode.TLS)
    with routeros.connect("ROUTER"):
        pass


def shown_by(host: str, port: int) -> str:
    """The SHA-256 of the certificate. Whether we trust it is asked later."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=10) as sock,
            context.wrap_socket(sock) as tls,
        ):
            return hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest()
    except OSError as error:
        text = f"{host}:{port} can't be reached with the new certificate: {error}"
        raise ConnectorError(text, ErrorCode.TLS) from None


def remove_old(router: Router, kept: set[str]) -> None:
    """Certificates that this runbook has brought, and that no service uses any more.

    Those from just before are kept: an undo needs them.
    """
    kept |= {row.get("certificate", "") for row in router.print(SERVICES)}
    rows = router.print(CERTIFICATES)
    for change in earlier(REMOVAL):
        is_there = change.probe["name"] in {row.get("name") for row in rows}
        change.did_not_happen() if is_there else change.adopt()
    for row in rows:
        old = row.get("name", "")
        if old.startswith(PREFIX) and old not in kept:
            probe = {"part": "remove", "name": old}
            with effect(f"remove certificate {old}", key=REMOVAL, probe=probe):
                router.remove(CERTIFICATES, row[".id"])


def undo() -> None:
    """Use the certificates from before again, and remove the new one."""
    with routeros.connect("ROUTER") as router:
        for change in earlier(EFFECT):
            probe = change.probe
            if probe["part"] == "use":
                for service, old in probe["before"].items():
                    set_service(router, service, old)
            else:
                rows = _rows_with(router, str(probe["fingerprint"]))
                router.remove(CERTIFICATES, *[row[".id"] for row in rows])
            change.undone()
            print(f"Reversed: {change.what}")
