import pytest

from docker_engine.fixtures import docker_engine, wanted
from stacks.site import Site

__all__ = ["docker_engine"]

# A real engine is part of `make test-images` only.
collect_ignore = [] if wanted() else ["test_engine.py", "test_remote.py"]


@pytest.fixture
def site(docker_engine, tmp_path):
    """A stack on a real engine, and the toolkit's runbooks."""
    with Site(docker_engine, tmp_path) as made:
        yield made
