"""Secrets at rest: bound to their connection, and sealed again with a new key."""

import os

import pytest

from runbook.access.keys import stored_key
from runbook.core.connection import Sealed
from runbook.engine.connections.vault import Vault
from runbook.errors import StoreUnavailableError

SECRETS = {"token_secret": "hunter22", "password": "ünicode"}


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "keys"


@pytest.fixture
def vault(folder):
    return Vault(folder, stored_key)


def test_what_was_sealed_is_opened(vault, folder):
    sealed = vault.seal("lab", SECRETS)
    assert vault.open("lab", sealed) == SECRETS
    assert Vault(folder, stored_key).open("lab", sealed) == SECRETS
    assert b"hunter22" not in sealed.data
    assert vault.open("lab", None) == {}
    assert (folder / "connections").stat().st_mode & 0o777 == 0o600


def test_it_is_bound_to_its_connection_and_key(vault, tmp_path):
    sealed = vault.seal("lab", SECRETS)
    changed = Sealed(sealed.key_id, sealed.data[:-1] + bytes([sealed.data[-1] ^ 1]))
    stranger = Vault(tmp_path / "elsewhere", stored_key)
    for opens in (
        lambda: vault.open("other", sealed),
        lambda: vault.open("lab", changed),
        lambda: vault.open("lab", Sealed(sealed.key_id, b"")),
        lambda: stranger.open("lab", sealed),
    ):
        with pytest.raises(StoreUnavailableError):
            opens()


def renewed(vault, sealed, in_use=frozenset()):
    with vault.renewing(lambda: in_use) as renewal:
        return renewal.again("lab", sealed)


def test_a_new_key_replaces_the_old_one(vault, folder):
    other = Vault(folder, stored_key)  # a process that runs meanwhile
    old = other.seal("lab", SECRETS)
    new = renewed(vault, old)
    assert new.key_id != old.key_id
    assert other.open("lab", new) == SECRETS
    assert other.seal("lab", SECRETS).key_id == new.key_id
    assert vault.open("lab", old) == SECRETS  # sealed by a process that had just read the old key
    assert sorted(os.listdir(folder)) == ["connections", "connections.previous"]


@pytest.mark.parametrize("committed", [True, False])
def test_a_process_that_dies_in_between_loses_nothing(vault, folder, committed):
    old = vault.seal("lab", SECRETS)
    with pytest.raises(KeyboardInterrupt), vault.renewing(frozenset) as renewal:
        new = renewal.again("lab", old)
        raise KeyboardInterrupt
    stored = new if committed else old
    later = Vault(folder, stored_key)
    assert later.open("lab", stored) == SECRETS
    last = renewed(later, stored, {stored.key_id})
    assert Vault(folder, stored_key).open("lab", last) == SECRETS
    assert last.key_id not in (old.key_id, new.key_id)
