"""Tokens that were verified before."""

import pytest

from runbook.access import remembered
from runbook.access.remembered import LEEWAY_SECONDS, RememberedTokens


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tokens(clock):
    tokens = RememberedTokens(clock)
    tokens.add("token", {"sub": "ann", "exp": 1060})
    return tokens


def test_a_verified_token_is_known(tokens):
    assert tokens.get("token") == {"sub": "ann", "exp": 1060}
    assert tokens.get("token ") is None


@pytest.mark.parametrize("now", [999.9, 1060 + LEEWAY_SECONDS])
def test_it_is_forgotten_when_it_expires_or_the_clock_is_set_back(tokens, clock, now):
    clock.now = now
    assert tokens.get("token") is None
    clock.now = 1001.0
    assert tokens.get("token") is None


def test_those_not_used_for_longest_are_forgotten_first(tokens, monkeypatch):
    monkeypatch.setattr(remembered, "MOST_TOKENS", 2)
    tokens.add("second", {"exp": 1060})
    tokens.get("token")
    tokens.add("third", {"exp": 1060})
    assert [bool(tokens.get(name)) for name in ("token", "second", "third")] == [True, False, True]
