"""`runbook db copy`: an installation answers the same from its other database."""

import pytest

from installation import Installation

RUNS = 200


@pytest.fixture
def original(tmp_path):
    url = f"sqlite:///{tmp_path}/first/runbook.db"
    return Installation(tmp_path / "first", url).prepare().fill(RUNS)


def test_an_installation_moves_to_postgresql_and_back(original, postgres, tmp_path):
    with postgres.database() as url:
        code, there = original.ask("db", "copy", original.url, url)
        assert (code, there["success"], there["active_runs"]) == (0, True, {})
        second = original.beside(tmp_path / "second", url)
        expected = original.answers()
        assert second.answers() == expected

        back = f"sqlite:///{tmp_path}/back.db"
        code, again = original.ask("db", "copy", url, back)
        assert (code, again["tables"]) == (0, there["tables"])
        third = original.beside(tmp_path / "third", back)
        assert third.answers() == expected

        assert original.reruns() == second.reruns() == third.reruns()
