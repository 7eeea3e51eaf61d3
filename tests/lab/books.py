"""Compares what exists at both endpoints with what the records of runs say."""

import re
from collections import Counter

from lab.endpoints import INTERFACES, difference
from lab.stage import NAME, NICS
from runbook.script.limits import EffectState

MARK = re.compile(r"\[run ([A-Za-z0-9-]+)\]")
GUEST_MARK = re.compile(r"^provision: ([A-Za-z0-9-]+)$", re.MULTILINE)
GATEWAY = "Gateway "


def mismatches(stage, before, runs, *, exists):
    """Where what exists differs from the records, in words.

    `exists` is whether the machine must be there, as asked, or nothing of it.
    """
    effects = stage.effects(runs)
    yield from (
        f"open: {one.what} of {one.id}" for one in effects if one.state is EffectState.INTENDED
    )
    recorded = {
        key: Counter(
            one.probe["mark"] for one in effects if one.key == key and one.state is EffectState.DONE
        )
        for key in ("address", "guest", "record")
    }
    found = _found(stage.endpoints)
    for key, marks in recorded.items():
        if marks != found[key]:
            yield f"{key}: recorded {dict(marks)}, there are {dict(found[key])}"
    strangers = found["gateway"].keys() - recorded["address"].keys()
    if strangers:
        yield f"gateways of nobody: {sorted(strangers)}"
    yield from stage.left()
    state = stage.endpoints.state()
    if exists:
        yield from _not_as_asked(stage.endpoints, before, state)
    else:
        yield from difference(before, state)


def _found(endpoints):
    addresses = [
        (match[1], row["description"].startswith(GATEWAY))
        for row in endpoints.addresses()
        if (match := MARK.search(row["description"]))
    ]
    guests = [
        match[1] if match else f"none: {one.vmid}"
        for one in endpoints.guests()
        for match in [GUEST_MARK.search(str(one.config.get("description", "")))]
    ]
    machines = [
        match[1] if match else f"none: {row['name']}"
        for row in endpoints.machines()
        for match in [MARK.search(row["description"])]
    ]
    return {
        "address": Counter(mark for mark, is_gateway in addresses if not is_gateway),
        "gateway": Counter(mark for mark, is_gateway in addresses if is_gateway),
        "guest": Counter(guests),
        "record": Counter(machines),
    }


def _not_as_asked(endpoints, before, state):
    """One container with its disk, one record with its interfaces, and their addresses."""
    guests = endpoints.guests()
    if len(guests) != 1:
        yield f"guests: {state['guests']}"
        return
    # fakepve keeps a container's disks with its configuration, those of others in the storage.
    if not guests[0].config["rootfs"].startswith(f"local-lvm:vm-{guests[0].vmid}-disk-"):
        yield f"the disk is {guests[0].config['rootfs']}"
    if state["disks"] != before["disks"]:
        yield f"disks: {state['disks']}"
    if state["locks"]:
        yield f"locked: {state['locks']}"
    if guests[0].config["hostname"] != NAME or guests[0].status != "running":
        yield f"the container {guests[0].config['hostname']} is {guests[0].status}"
    machines = endpoints.machines()
    if [row["name"] for row in machines] != [NAME]:
        yield f"records: {state['machines']}"
        return
    yield from _wrong_interfaces(endpoints, machines[0], guests[0].config)


def _wrong_interfaces(endpoints, machine, config):
    rows = endpoints.ipam.database.rows(INTERFACES)
    if sorted(row["name"] for row in rows) != ["eth0", "eth1"]:
        yield f"interfaces: {[row['name'] for row in rows]}"
    own = {row["id"]: row["name"] for row in rows}
    allocated = [
        (own.get(row["assigned_object_id"]), row["address"])
        for row in endpoints.addresses()
        if MARK.search(row["description"]) and not row["description"].startswith(GATEWAY)
    ]
    for n, nic in enumerate(NICS):
        recorded = {address for name, address in allocated if name == f"eth{n}"}
        net = dict(word.split("=", 1) for word in config[f"net{n}"].split(","))
        configured = {net[key] for key in ("ip", "ip6") if key in net and "/" in net[key]}
        if recorded != configured or len(configured) != 1 + ("PREFIX6" in nic):
            yield f"eth{n}: recorded {recorded}, configured {configured}"
        if net["bridge"] != nic["BRIDGE"] or net.get("tag") != _tag(nic):
            yield f"net{n}: {config[f'net{n}']}"
    if not (machine["primary_ip4"] and machine["primary_ip6"]):
        yield "the record has no primary addresses"


def _tag(nic):
    return str(nic["VLAN"]) if "VLAN" in nic else None
