"""What the toolkits do after a change whose request may still arrive."""

import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import runbook
from runbook.connectors.effects import EarlierChange, EffectState
from runbook.connectors.errors import EXIT_CODES, ConnectorError, ErrorCode
from runbook.connectors.proxmox.errors import error_of

TOOLKITS = Path(__file__).parents[3] / "runbooks"
NAMES = ("lab", "netbox", "proxmox")
PROBE = {"vmid": 104, "mark": "5f0c2a", "id": 7, "given": {"address": "192.0.2.7/24"}}


@pytest.fixture(autouse=True)
def toolkits(monkeypatch):
    for name in NAMES:
        monkeypatch.syspath_prepend(TOOLKITS / name / "lib")
    yield
    for name in [it for it in sys.modules if it.partition("_toolkit")[0] in NAMES]:
        del sys.modules[name]


class Recorded(EarlierChange):
    def _settle(self, state):
        self.outcome["settled"] = state


def lost_change(key):
    """One whose answer got lost just now."""
    return Recorded("r/1", key, "", PROBE, EffectState.INTENDED, {}, int(time.time() * 1000), 0)


def coming(*answers):
    """Answers one after the other; the last one stays."""
    left = list(answers)
    return lambda *_, **__: left.pop(0) if left[1:] else left[0]


def failing(call, *args):
    with pytest.raises(ConnectorError) as caught:
        call(*args)
    return caught.value


# -- lab -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "answered"),
    [
        (ErrorCode.SERVER, False),
        (ErrorCode.LOCKED, False),
        (ErrorCode.TIMEOUT, False),
        (ErrorCode.UNREACHABLE, False),
        (ErrorCode.FULL, True),
        (ErrorCode.TASK_FAILED, True),
    ],
)
def test_a_called_run_has_an_answer_or_not(monkeypatch, code, answered):
    from lab_toolkit import calls

    def call(*_, **__):
        done = {"return_code": EXIT_CODES[code], "status": "failed", "runbook": "x", "errors": []}
        raise runbook.CalledRunbookError({**done, "success": False, "run_id": "x"})

    monkeypatch.setattr(runbook, "call", call)
    error = failing(calls.call, "netbox/AllocateIp.md", {})
    assert (error.code, error.answered, error.nothing_changed) == (code, answered, False)


# -- proxmox -------------------------------------------------------------------------------------


@pytest.fixture
def guests(monkeypatch):
    from proxmox_toolkit import guests

    monkeypatch.setattr(guests, "POLL_S", 0)
    return guests


@pytest.mark.parametrize("status", [408, 502, 503, 504, 524, 596])
def test_a_guest_that_comes_after_the_answer_of_a_proxy_is_found(guests, monkeypatch, status):
    presence = guests.Presence
    monkeypatch.setattr(guests, "_seen", coming(presence.ABSENT, None, presence.OURS))

    guests._look_again(SimpleNamespace(timeout_s=60), PROBE, error_of("pve", status, "", ""))


def test_a_guest_that_does_not_come_in_time_was_not_created(guests, monkeypatch):
    monkeypatch.setattr(guests, "_seen", coming(guests.Presence.ABSENT))
    lost = error_of("pve", 504, "", "")

    error = failing(guests._look_again, SimpleNamespace(timeout_s=0), PROBE, lost)

    assert (error.code, error.nothing_changed) == (ErrorCode.SERVER, True)


def test_a_look_that_is_refused_does_not_tell_that_there_is_no_guest(guests, monkeypatch):
    def refuse(*_):
        raise error_of("pve", 401, "", "")

    monkeypatch.setattr(guests, "_seen", refuse)
    lost = error_of("pve", 504, "", "")

    assert failing(guests._look_again, SimpleNamespace(timeout_s=60), PROBE, lost) is lost
    assert not lost.answered


def test_an_undo_waits_for_a_backup_that_may_still_come(monkeypatch):
    from proxmox_toolkit import changes

    monkeypatch.setattr(changes, "POLL_S", 0)
    monkeypatch.setattr(changes, "_backup", coming("", "local:backup/104"))

    found = changes._made(SimpleNamespace(timeout_s=60), lost_change("backup"))

    assert found == "local:backup/104"


def test_a_backup_that_can_not_be_looked_up_is_not_forgotten(guests, monkeypatch):
    from proxmox_toolkit import changes

    def refuse(*_):
        raise error_of("pve", 500, "", "")

    settled = []
    monkeypatch.setenv("RUNBOOK_EFFECTS", "x")
    monkeypatch.setenv("STORAGE", "local")
    monkeypatch.setattr(changes, "earlier", lambda _: [])
    monkeypatch.setattr(changes, "_backup", refuse)
    monkeypatch.setattr("runbook.script.effects.intend", lambda *_: "r/1")
    monkeypatch.setattr("runbook.script.effects.settle", lambda *given: settled.append(given[2]))
    vzdump = SimpleNamespace(vzdump=SimpleNamespace(post=lambda **_: "UPID"))
    api = SimpleNamespace(nodes=lambda _: vzdump)
    pve = SimpleNamespace(timeout_s=60, dry_run=False, api=api, run=lambda *_: None)

    error = failing(changes.back_up, pve, guests.Guest("lxc", "pve1", 104))

    assert (error.nothing_changed, error.answered) == (False, True)
    assert settled == [EffectState.INTENDED]


# -- netbox --------------------------------------------------------------------------------------


def test_an_undo_waits_for_a_release_that_may_still_come(monkeypatch):
    from netbox_toolkit import addresses

    change, restored = lost_change("release"), []
    monkeypatch.setattr(addresses, "POLL_S", 0)
    monkeypatch.setattr(addresses, "earlier", lambda _: [change])
    known = SimpleNamespace(get=coming(object(), None), create=restored.append)
    session = SimpleNamespace(timeout_s=60)
    nb = SimpleNamespace(http_session=session, ipam=SimpleNamespace(ip_addresses=known))

    assert addresses.undo_release(nb) == ["192.0.2.7/24"]
    assert restored == [PROBE["given"]]
    assert change.outcome["settled"] is EffectState.UNDONE
