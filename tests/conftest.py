"""What holds for every test."""

import itertools
import shutil
import signal
import tempfile
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import databases
from needs import need
from patience import PATIENCE_S

TIMEOUT_S = 4 * PATIENCE_S

# How long an example takes depends on what else the machine does.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """Before pytest-timeout reads its options.

    A shell starts what runs in its background with SIGINT ignored, and scripts inherit that.
    """
    if config.getoption("timeout", None) is None:
        config.option.timeout = TIMEOUT_S
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        databases.end_shared_server()


@pytest.fixture(scope="session")
def postgres():
    """The PostgreSQL server of this run. Without one there is nothing to test; in CI that fails."""
    need(databases.programs() is not None, "PostgreSQL")
    return databases.shared_server()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory):
    path = tmp_path_factory.mktemp("template") / "store.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres):
    """The name of a database of this version, to make others of."""
    return postgres.template("migrated", _migrate)


def _migrate(url):
    from runbook.store.store import Store

    store = Store(url)
    store.maintenance.migrate()
    store.close()


@pytest.fixture
def postgres_url(postgres, postgres_template):
    """The URL of an empty, migrated database; `postgres.database` has those for other purposes."""
    with postgres.lent(postgres_template) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request):
    """Which database: a test that asks for a URL below is done with each."""
    return request.param


@pytest.fixture
def lend(kind, request, tmp_path):
    """Gives the URL of an empty, migrated database, for as long as a `with` takes."""
    if kind == "postgresql":
        server = request.getfixturevalue("postgres")
        template = request.getfixturevalue("postgres_template")
        return lambda: server.lent(template)
    template = request.getfixturevalue("sqlite_template")
    numbers = itertools.count()

    def copied():
        path = tmp_path / f"store-{next(numbers)}.db"
        shutil.copy(template, path)
        return nullcontext(f"sqlite:///{path}")

    return copied


@pytest.fixture
def url(lend):
    with lend() as url:
        yield url


@pytest.fixture
def new_url(kind, request, tmp_path):
    """The URL of a database that nobody has prepared; there may not be a file yet."""
    if kind == "postgresql":
        with request.getfixturevalue("postgres").database() as url:
            yield url
    else:
        yield f"sqlite:///{tmp_path}/new.db"


@pytest.fixture
def own_postgres(postgres):
    """A server of the test's own, which it may stop and start."""
    server = databases.Server(Path(tempfile.mkdtemp(prefix="pg-own-")))
    try:
        yield server.start()
    finally:
        server.remove()
