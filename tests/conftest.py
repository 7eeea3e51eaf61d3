"""What holds for every test."""

import os
import signal
import tempfile
from pathlib import Path

import pytest

import databases


def pytest_configure():
    """A shell starts what runs in its background with SIGINT ignored, and scripts inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        databases.end_shared_server()


@pytest.fixture(scope="session")
def postgres():
    """The PostgreSQL server of this run. Without one there is nothing to test; in CI that fails."""
    if databases.programs() is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(databases.MISSING)
    return databases.shared_server()


@pytest.fixture(scope="session")
def postgres_template(postgres):
    """The name of a database of this version, to make others of."""
    return postgres.template("migrated", _migrate)


def _migrate(url):
    import sqlalchemy as sa

    from runbook.store.tables import metadata

    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    metadata.create_all(engine)
    engine.dispose()


@pytest.fixture
def postgres_url(postgres, postgres_template):
    """The URL of an empty, migrated database; `postgres.database` has those for other purposes."""
    with postgres.lent(postgres_template) as url:
        yield url


@pytest.fixture
def own_postgres(postgres):
    """A server of the test's own, which it may stop and start."""
    server = databases.Server(Path(tempfile.mkdtemp(prefix="pg-own-")))
    try:
        yield server.start()
    finally:
        server.remove()
