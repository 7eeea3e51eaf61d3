"""The PostgreSQL of the tests themselves: nobody shares a database, and nothing is left of it."""

import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

import databases
from patience import PATIENCE_S

ADD = """
WITH document AS (INSERT INTO documents VALUES (%s, '', 0) RETURNING digest)
INSERT INTO runbooks (ref, revision) SELECT digest, 1 FROM document
"""
COUNT = "SELECT count(*) FROM documents"
NUMBER = "SELECT nextval('runs_seq_seq')"


@pytest.mark.parametrize("again", range(3))
def test_each_test_has_an_empty_database(postgres_url, again):
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute(COUNT).fetchone() == (0,)
        assert connection.execute(NUMBER).fetchone() == (1,)
        connection.execute(ADD, [str(again)])


def test_two_databases_have_nothing_in_common(postgres, postgres_template):
    with postgres.lent(postgres_template) as one, postgres.lent(postgres_template) as other:
        assert one != other
        with psycopg.connect(one) as connection:
            connection.execute(ADD, ["x"])
        with psycopg.connect(other) as connection:
            assert connection.execute(COUNT).fetchone() == (0,)


@pytest.mark.parametrize("kind", ["database", "lent"])
def test_a_database_is_taken_back_from_whoever_is_still_in_it(postgres, postgres_template, kind):
    with getattr(postgres, kind)(postgres_template) as url:
        connection = psycopg.connect(url)
        connection.execute(ADD, ["x"])
    with pytest.raises(psycopg.OperationalError):
        connection.execute(COUNT)
    connection.close()


def test_the_run_shares_one_server(postgres):
    with postgres.connected() as connection, databases.shared_server().connected() as other:
        started = "SELECT pg_postmaster_start_time()"
        assert connection.execute(started).fetchone() == other.execute(started).fetchone()


def test_a_server_of_its_own_keeps_what_was_committed(own_postgres, postgres):
    assert own_postgres.folder != postgres.folder
    with own_postgres.connected() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS x")
        own_postgres.stop()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError), own_postgres.connected():
        pass
    own_postgres.start()
    with own_postgres.connected() as connection:
        assert connection.execute("SELECT x FROM kept").fetchone() == (1,)


@pytest.fixture
def guarded(postgres):
    """A server's folder, its guard, and the process that both must not outlive."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    with subprocess.Popen(["sleep", "1000"]) as owner:
        command = [sys.executable, databases.__file__, folder, str(owner.pid)]
        subprocess.run(command, check=True)
        yield folder, psutil.Process(int((folder / "guard").read_text())), owner
        owner.kill()
    shutil.rmtree(folder, ignore_errors=True)


def server_in(folder):
    return psutil.Process(int((folder / "data/postmaster.pid").read_text().split()[0]))


def is_running(process):
    """Whether it has not ended; one that its parent has not asked about yet has."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def wait_for_the_end(processes):
    deadline = time.monotonic() + PATIENCE_S
    while any(map(is_running, processes)):
        assert time.monotonic() < deadline, processes
        time.sleep(0.01)


def test_nothing_is_left_when_the_run_is_killed(guarded):
    folder, guard, owner = guarded
    everyone = [guard, server_in(folder), *server_in(folder).children()]
    owner.kill()
    wait_for_the_end(everyone)
    assert not folder.exists()


def test_no_process_is_left_when_the_guard_is_killed_too(guarded):
    folder, guard, _owner = guarded
    everyone = [guard, server_in(folder), *server_in(folder).children()]
    guard.kill()
    wait_for_the_end(everyone)
