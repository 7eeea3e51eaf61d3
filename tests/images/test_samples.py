"""The sample images, and what Stage0's guide says to do with them."""

import pytest

from images.building import ROOT, SIZES, runbook_text

OLD_HOME = "/opt/stage0/runbooks"
# As in the old guide, with our image.
OLD_DOCKERFILE = f"""\
FROM runbook
# Create directory for runbooks
RUN mkdir -p {OLD_HOME}
COPY runbooks/ {OLD_HOME}/
WORKDIR {OLD_HOME}
"""
OLD_COMPOSE = f"""\
services:
  api:
    image: my-runbooks:latest
    environment:
      API_PORT: 8083
      RUNBOOKS_DIR: {OLD_HOME}
      ENABLE_LOGIN: "false"
      JWT_SECRET: "a-secret-of-more-than-thirty-two-bytes!"
      JWT_ISSUER: "your-identity-provider"
      JWT_AUDIENCE: "runbook-api-production"
      LOGGING_LEVEL: "WARNING"
      SCRIPT_TIMEOUT_SECONDS: "600"
      MAX_OUTPUT_SIZE_BYTES: "10485760"
      RATE_LIMIT_ENABLED: "true"
      RATE_LIMIT_PER_MINUTE: "60"
      RATE_LIMIT_EXECUTE_PER_MINUTE: "10"
      RATE_LIMIT_STORAGE_BACKEND: "memory"
    command: runbook serve --runbooks-dir {OLD_HOME} --port 8083
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost:8083/metrics"]
      interval: 1s
      timeout: 10s
      retries: 60
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder as in the old guide: `runbooks` with `my-runbook.md`."""
    made = tmp_path_factory.mktemp("old")
    (made / "runbooks").mkdir()
    text = runbook_text(
        "my-runbook", 'echo "token $GITHUB_TOKEN"', inputs="GITHUB_TOKEN: Of GitHub"
    )
    (made / "runbooks/my-runbook.md").write_text(text)
    return made


EXECUTE = ("runbook", "execute", "--runbook", f"{OLD_HOME}/my-runbook.md")


def test_with_runbooks(images, folder):
    images.build(ROOT / "samples/Dockerfile.with-runbooks", "my-runbooks", context=folder)
    given = ("--env", "GITHUB_TOKEN=abc")
    assert images.run("my-runbooks", *EXECUTE, options=given).stdout == "token abc\n"
    shown = images.run("my-runbooks", "list", "--json").stdout
    assert "my-runbook.md" in shown


@pytest.mark.parametrize("buildkit", ["0", "1"])
def test_dockerfiles_of_the_old_guide_work(images, folder, buildkit):
    (folder / "Dockerfile.with-runbooks").write_text(OLD_DOCKERFILE)
    file = folder / "Dockerfile.with-runbooks"
    images.build(file, "old-runbooks", context=folder, buildkit=buildkit)
    given = ("--env", "GITHUB_TOKEN=abc")
    assert images.run("old-runbooks", *EXECUTE, options=given).stdout == "token abc\n"


def test_compose_of_the_old_guide_works(images, folder):
    images.build(ROOT / "samples/Dockerfile.with-runbooks", "my-runbooks", context=folder)
    (folder / "compose.yaml").write_text(OLD_COMPOSE)
    stack = ("compose", "--project-directory", folder, "--project-name", "old")
    try:
        images.docker(*stack, "up", "--detach", "--wait")
    finally:
        images.docker(*stack, "down", "--volumes")


def test_extended(images, extended):
    script = "docker --version; docker compose version; gh --version"
    done = images.run(extended, "sh", "-c", script)
    assert "Docker version" in done.stdout
    assert "Docker Compose version v2" in done.stdout
    assert "gh version" in done.stdout
    assert images.run(extended, "sh", "-c", "command -v dockerd", check=False).returncode != 0
    text = images.run(extended, "sh", "-c", "cat /opt/runbook/share/sbom.cdx.json").stdout
    assert "pkg:deb/debian/gh@" in text
    assert "pkg:github/docker/compose@2" in text


def test_extended_with_runbooks(images, extended, folder):
    file = ROOT / "samples/Dockerfile.extended-with-runbooks"
    images.build(file, "my-runbooks:extended", context=folder)
    script = runbook_text("Engine", "docker version --format '{{.Server.Version}}'")
    (folder / "runbooks/Engine.md").write_text(script)
    images.build(file, "my-runbooks:extended", context=folder)
    socket = ("--volume", f"{images.engine.socket}:/var/run/docker.sock", "--group-add", "0")
    inside = ("--env", "SCRIPT_ENV_PASS=DOCKER_HOST")
    done = images.run(
        "my-runbooks:extended", "execute", "--runbook", "Engine.md", options=(*socket, *inside)
    )
    assert done.stdout.strip() == images.out("version", "--format", "{{.Server.Version}}")


def test_only_some_extras(images):
    images.build(ROOT / "Dockerfile", "runbook:small", BASE_IMAGE="tests/python:slim", EXTRAS="ssh")
    script = "import paramiko, importlib.util as u; print(u.find_spec('proxmoxer'))"
    assert images.run("runbook:small", "python", "-c", script).stdout == "None\n"
    assert SIZES["runbook:small"] < SIZES["runbook"]
