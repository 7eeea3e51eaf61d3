"""What an engine and Compose say, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
CONFIG_HASH = "com.docker.compose.config-hash"
ONE_OFF = "com.docker.compose.oneoff"


@dataclass(frozen=True, slots=True)
class Container:
    """`image` is what it was made from, as the file says it; `image_id` never changes its meaning.

    `health` is empty without a health check. `state` is Docker's: created, running, paused,
    restarting, exited or dead.
    """

    id: str
    name: str
    service: str
    image: str
    image_id: str
    state: str
    health: str
    exit_code: int
    restarts: int
    restart_policy: str
    config_hash: str
    started_at: str
    error: str

    @property
    def is_up(self) -> bool:
        return self.state in ("running", "restarting", "paused")


@dataclass(frozen=True, slots=True)
class Service:
    """As a Compose file declares it. `replicas` is None if the file doesn't say.

    `blocker` says why there can't be more than one container; empty if there can.
    """

    name: str
    image: str
    replicas: int | None
    builds: bool
    blocker: str
    volumes: tuple[str, ...]

    @property
    def declared(self) -> int:
        return 1 if self.replicas is None else self.replicas


def containers_of(text: str) -> list[Container]:
    """From `docker inspect`."""
    found = [_container(one) for one in json.loads(text or "[]")]
    return sorted(found, key=lambda one: (one.service, one.name))


def _container(one: Mapping[str, Any]) -> Container:
    state, config, labels = one["State"], one["Config"], one["Config"].get("Labels") or {}
    return Container(
        one["Id"],
        str(one["Name"]).lstrip("/"),
        labels.get(SERVICE, ""),
        config["Image"],
        one["Image"],
        state["Status"],
        (state.get("Health") or {}).get("Status", "").replace("none", ""),
        int(state.get("ExitCode") or 0),
        int(one.get("RestartCount") or 0),
        str((one["HostConfig"].get("RestartPolicy") or {}).get("Name") or "no"),
        labels.get(CONFIG_HASH, ""),
        state.get("StartedAt", ""),
        str(state.get("Error") or _last_probe(state)),
    )


def _last_probe(state: Mapping[str, Any]) -> str:
    """What the health check printed last."""
    log: Sequence[Mapping[str, Any]] = (state.get("Health") or {}).get("Log") or ()
    failed = [one for one in log if one.get("ExitCode")]
    return str(failed[-1].get("Output") or "").strip()[-300:] if failed else ""


def services_of(config: Mapping[str, Any]) -> dict[str, Service]:
    """From `docker compose config --format json`."""
    return {
        name: _service(name, one) for name, one in sorted((config.get("services") or {}).items())
    }


def _service(name: str, one: Mapping[str, Any]) -> Service:
    declared = one.get("scale", (one.get("deploy") or {}).get("replicas"))
    mounts = one.get("volumes") or ()
    volumes = tuple(
        str(it["source"]) for it in mounts if it.get("type") == "volume" and it.get("source")
    )
    return Service(
        name,
        str(one.get("image") or ""),
        None if declared is None else int(declared),
        "build" in one,
        _blocker(one),
        volumes,
    )


def _blocker(one: Mapping[str, Any]) -> str:
    if one.get("container_name"):
        return f"container_name is {one['container_name']}"
    for port in one.get("ports") or ():
        published = str(port.get("published") or "")
        if published and "-" not in published:
            return f"the port {published} of the host is fixed"
    return ""
