"""Writes the image's software bill of materials: CycloneDX 1.6, as JSON.

sbom.py npm package-lock.json   prints the components of the web app, for the image that is built
sbom.py                         writes sbom.cdx.json beside this file: Debian's packages, the Python
                                packages of this interpreter, and the web app's. An image that adds
                                packages runs it again, with --also PURL for what has no package.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import uuid
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

HERE = Path(__file__).parent
WEB = HERE / "web.components.json"
ENGINE = "runbook-engine"
FIELDS = "${Package}\t${Version}\t${Architecture}\t${db:Status-Abbrev}\n"

Component = dict[str, object]


def component(name: str, version: str, purl: str, kind: str = "library") -> Component:
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}


def from_npm(lock: dict) -> list[Component]:
    """What is built into the web app: all but what only builds and tests it."""
    found = []
    for path, one in lock["packages"].items():
        if not path or one.get("dev") or one.get("link"):
            continue
        name, version = path.rpartition("node_modules/")[2], one["version"]
        found.append(component(name, version, f"pkg:npm/{quote(name)}@{quote(version)}"))
    return found


def from_python() -> list[Component]:
    found = []
    for one in metadata.distributions():
        name, version = one.metadata["Name"].lower().replace("_", "-"), one.version
        kind = "application" if name == ENGINE else "library"
        found.append(component(name, version, f"pkg:pypi/{name}@{quote(version)}", kind))
    return found


def from_debian() -> list[Component]:
    listed = subprocess.run(
        ["dpkg-query", "--show", "--showformat", FIELDS], check=True, capture_output=True, text=True
    )
    found = []
    for line in listed.stdout.splitlines():
        name, version, architecture, status = line.split("\t")
        if status.startswith("ii"):
            purl = f"pkg:deb/debian/{quote(name)}@{quote(version)}?arch={architecture}"
            found.append(component(name, version, purl))
    return found


def from_purl(purl: str) -> Component:
    name, _, version = purl.rpartition("/")[2].partition("@")
    return component(name, version, purl, "application")


def document(found: list[Component], built_at: str) -> dict[str, object]:
    """The same components always make the same document, apart from the time."""
    unique = sorted({one["bom-ref"]: one for one in found}.values(), key=lambda it: it["bom-ref"])
    digest = hashlib.sha256(json.dumps(unique).encode()).hexdigest()
    engine = next(one for one in unique if one["name"] == ENGINE)
    image = {
        "type": "container",
        "bom-ref": "image",
        "name": "runbook",
        "version": engine["version"],
    }
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "version": 1,
        "metadata": {"component": image, **({"timestamp": built_at} if built_at else {})},
        "components": unique,
    }


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["npm"]:
        print(json.dumps(from_npm(json.loads(Path(arguments[1]).read_text()))))
        return
    also = [from_purl(purl) for purl in arguments[1:]] if arguments[:1] == ["--also"] else []
    found = [*from_debian(), *from_python(), *json.loads(WEB.read_text()), *also]
    written = document(found, os.environ.get("BUILT_AT", ""))
    (HERE / "sbom.cdx.json").write_text(json.dumps(written, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
