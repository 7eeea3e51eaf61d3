"""One engine for all tests, with our images, which are built once."""

import pytest

from docker_engine.engine import running
from docker_engine.fixtures import wanted
from docker_engine.missing import NotAvailableError
from images.building import BASE, BUILT_AT, ROOT, SECONDS, SIZES, Images, timed
from images.rootfs import root_file_system

# Only `make test-images` collects them: they need an engine, and take minutes.
collect_ignore_glob = [] if wanted() else ["test_*.py"]


@pytest.fixture(scope="session")
def images():
    """The engine with the base image. On a machine where it can't run, that is a failure."""
    try:
        with timed("root file system"):
            archive = root_file_system()
        with running(egress=True) as engine:
            made = Images(engine)
            with timed(f"import {BASE}"):
                engine.docker("import", archive, BASE)
            made.measure(BASE)
            arguments = {"BASE_IMAGE": BASE, "BUILT_AT": BUILT_AT, "REVISION": "0123abc"}
            made.build_once(ROOT / "Dockerfile", "runbook", **arguments)
            yield made
    except NotAvailableError as missing:
        pytest.fail(f"No Docker Engine can run here: {missing}", pytrace=False)


@pytest.fixture(scope="session")
def extended(images):
    images.build(ROOT / "samples/Dockerfile.extended", "runbook:extended")
    return "runbook:extended"


def pytest_terminal_summary(terminalreporter):
    if not SIZES:
        return
    terminalreporter.section("images")
    for name, size in SIZES.items():
        terminalreporter.write_line(f"{size / 1e6:8.1f} MB  {name}")
    for what, seconds in SECONDS.items():
        terminalreporter.write_line(f"{seconds:8.2f} s   {what}")
