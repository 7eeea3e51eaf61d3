import pytest

from runbook.core.inputs.values import GivenFile
from runbook.engine.sealing import RunInputs, Sealer
from runbook.errors import StoreUnavailableError

INPUTS = RunInputs(
    {"PASSWORD": "hunter22", "HOST": "r1\n\u2028é"},
    frozenset({"PASSWORD"}),
    {"CONFIG": GivenFile("app.yaml", b"content-of-the-file\0\xff")},
)


def test_what_was_sealed_can_be_opened():
    sealer = Sealer(bytes(32))
    assert sealer.open(sealer.seal(INPUTS, "run-1"), "run-1") == INPUTS


def test_nothing_of_it_can_be_read_and_no_two_are_alike():
    sealer = Sealer(bytes(32))
    sealed = sealer.seal(INPUTS, "run-1")

    assert b"hunter22" not in sealed
    assert b"content" not in sealed
    assert sealed != sealer.seal(INPUTS, "run-1")


@pytest.mark.parametrize(("key", "run_id"), [(bytes(32), "run-2"), (bytes([1]) * 32, "run-1")])
def test_another_run_or_another_key_opens_nothing(key, run_id):
    sealed = Sealer(bytes(32)).seal(INPUTS, "run-1")

    with pytest.raises(StoreUnavailableError, match="key"):
        Sealer(key).open(sealed, run_id)


def test_a_digest_needs_the_key():
    assert Sealer(bytes(32)).digest("a") == Sealer(bytes(32)).digest("a")
    assert Sealer(bytes(32)).digest("a") != Sealer(bytes([1]) * 32).digest("a")
