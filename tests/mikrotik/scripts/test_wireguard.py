"""Peers of a WireGuard hub."""

import base64

import pytest

from runbook.connectors.errors import ErrorCode


def key(number):
    return base64.b64encode(bytes([number]) * 32).decode()


def add(site, number, **inputs):
    given = {"PEER": f"peer {number}", "NETWORK": "10.10.1.0/29", **inputs}
    return site.execute("WireguardPeer", ROUTER="core-1", PUBLIC_KEY=key(number), **given)


def test_peers_get_the_next_address_until_there_is_none(site):
    router = site.router()
    first = add(site, 1, ENDPOINT="hub.example.com", PRESHARED_KEY=key(9))
    assert first.code == 0, first.error
    assert (first.outputs["ADDRESS"], first.outputs["HUB_PORT"]) == ("10.10.1.2", 13231)
    config = site.artifact("wireguard.conf")
    assert f"PublicKey = {first.outputs['HUB_PUBLIC_KEY']}" in config
    assert "Endpoint = hub.example.com:13231" in config
    assert key(9) not in config + first.printed
    assert router.config.rows("interface/wireguard/peers")[0]["preshared-key"] == key(9)
    assert len(site.journal.made) == 3

    assert add(site, 1).outputs["ADDRESS"] == "10.10.1.2"
    others = [add(site, number).outputs["ADDRESS"] for number in range(2, 6)]
    assert others == [f"10.10.1.{n}" for n in range(3, 7)]
    assert add(site, 6).error.code is ErrorCode.FULL


def test_what_would_collide_is_refused(site):
    site.router()
    assert add(site, 1, BEHIND="10.20.0.0/16").code == 0
    codes = {
        add(site, 2, BEHIND="10.20.5.0/24").error.code: "other's",
        add(site, 2, ADDRESS="10.10.1.2").error.code: "taken",
        add(site, 2, PEER="peer 1").error.code: "name",
    }
    assert [*codes] == [ErrorCode.CONFLICT]
    assert add(site, 2, ADDRESS="10.99.0.2").error.code is ErrorCode.INVALID
    assert add(site, 0).error.code is ErrorCode.INVALID
    site.routers["core-1"].stop()
    site.router(version="6.49")
    assert add(site, 2).error.code is ErrorCode.INVALID


def test_undo_removes_what_was_added_and_spares_others(site):
    router = site.router()
    before = router.snapshot()
    add(site, 1)
    undo = {"ROUTER": "core-1", "PUBLIC_KEY": key(1), "PEER": "peer 1"}
    site.execute("WireguardPeer", undo=True, **undo)
    assert (router.snapshot(), site.journal.states) == (before, ["undone"] * 3)

    add(site, 1)
    public = base64.b64encode(bytes([5]) * 32).decode()
    router.run(f'/interface wireguard peers add interface=wg0 public-key="{public}"')
    site.execute("WireguardPeer", undo=True, **undo)
    [left] = router.config.rows("interface/wireguard/peers")
    assert left["public-key"] == public


def test_a_peer_is_removed(site):
    router = site.router()
    add(site, 1)
    site.journal.made.clear()
    given = {"ROUTER": "core-1", "ACTION": "remove"}
    assert site.execute("WireguardPeer", PUBLIC_KEY=key(1), **given).code == 0
    assert site.execute("WireguardPeer", PUBLIC_KEY=key(1), **given).code == 0
    assert router.config.rows("interface/wireguard/peers") == []
    assert site.journal.states == ["done"]


def test_a_dry_run_plans_all_three_additions(site):
    router = site.router()
    before = router.snapshot()
    done = add(site, 1, dry_run=True)
    assert (done.code, len(done.plan), router.snapshot()) == (0, 3, before), done.error


@pytest.mark.parametrize("added", [0, 1, 2, 3])
def test_a_retry_goes_on_where_a_killed_attempt_was(site, added):
    site.router()
    add(site, 1)
    intended = site.journal.made
    for number, one in enumerate(intended):
        one["state"] = "intended"
        if number >= added:
            menu = one["probe"]["menu"][1:].replace("/", " ")
            site.routers["core-1"].run(
                f'/{menu} remove [find {_column(menu)}="{one["probe"]["name"]}"]'
            )

    done = add(site, 1)

    assert done.outputs["ADDRESS"] == "10.10.1.2"
    states = [one["state"] for one in site.journal.made]
    assert states == ["done"] * added + ["failed"] * (3 - added) + ["done"] * (3 - added)


def _column(menu):
    return {"interface wireguard": "name", "ip address": "address"}.get(menu, "public-key")
