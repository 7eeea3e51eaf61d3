"""The endpoint of the lab answers as NetBox does: one recorded suite runs on both."""

import os

import pytest

from netbox.conftest import is_real
from netbox.exchanges import EXCHANGES, exchange_all, record, recorded


def test_names_are_unique():
    names = [exchange.name for exchange in EXCHANGES]
    assert len(set(names)) == len(names)


@pytest.mark.skipif(not is_real(), reason="needs a real NetBox: make test-netbox")
def test_a_real_netbox_answers_as_recorded(netbox):
    answers = exchange_all(netbox)
    if os.environ.get("RECORD"):
        record(answers)

    assert answers == recorded()


@pytest.mark.skipif(is_real(), reason="this is about the endpoint")
def test_the_endpoint_answers_as_a_real_netbox(netbox):
    expected = recorded()
    answers = exchange_all(netbox)

    differences = {
        name: list(differing(answer, expected[name]))
        for name, answer in answers.items()
        if list(differing(answer, expected[name]))
    }
    assert differences == {}
    assert answers.keys() == expected.keys()


def differing(ours, theirs, where=""):
    """Where our answer isn't theirs. It may have fewer members, but none with another value."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in ours:
            if name not in theirs:
                yield f"{where}.{name}: only ours: {ours[name]!r}"
            else:
                yield from differing(ours[name], theirs[name], f"{where}.{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs)):
            yield from differing(one, other, f"{where}[{number}]")
    elif ours != theirs:
        yield f"{where}: ours {ours!r}, theirs {theirs!r}"
