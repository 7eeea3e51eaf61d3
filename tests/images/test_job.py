"""Images of runbooks, made by `runbook package`, and images of a single job."""

import hashlib
import json
import subprocess
import time

import jwt
import pytest

from images.building import BASE, SECONDS, events, runbook_text
from images.test_base import HARDENED, SECRET

JOB = """\
echo "out $NAME"
echo err >&2
echo "user $(id -u) $(grep CapEff /proc/self/status)"
exit "${CODE:-0}"
"""
INPUTS = "NAME: Who\nCODE:\n  type: integer\n  default: 0\n  description: Exit code\n"
CASES = """\
cases:
  - name: greets
    inputs:
      NAME: ada
    status: succeeded
"""
SLOW = """\
trap 'echo ended; exit 9' INT TERM
echo ready
while :; do sleep 1; done
"""
ORPHAN = """\
(setsid sh -c 'exit 3' &)
sleep 0.1
echo done
"""
ZOMBIES = """\
(setsid sh -c 'exit 3' &)
runbook execute --quiet --runbook Orphan.md || exit
cat /proc/[0-9]*/stat 2>/dev/null | grep ') Z '
exit 0
"""
SECRETS = """\
[ "$PASSWORD" = correct-horse ] && echo "same $PASSWORD"
"""
CONNECTION = """\
from runbook.connectors import connection

found = connection.read("HOST")
print("host", found.values["host"], found.values["password"])
"""


@pytest.fixture(scope="session")
def job(images, tmp_path_factory):
    """A packaged job, which is its image's default command."""
    folder = tmp_path_factory.mktemp("packaged") / "jobs"
    folder.mkdir()
    (folder / "Job.md").write_text(runbook_text("Job", JOB, inputs=INPUTS))
    (folder / "Job.test.yaml").write_text(CASES)
    (folder / "Other.md").write_text(runbook_text("Other", "echo other"))
    done = images.package(folder, "jobs/job:1", "--single", "Job.md", "--json")
    found = json.loads(done.stdout)
    assert (found["success"], found["built"]) == (True, True)
    again = images.package(folder, "jobs/job:1", "--single", "Job.md", "--no-build", "--json")
    assert json.loads(again.stdout)["sha256"] == found["sha256"]
    return "jobs/job:1", folder


@pytest.fixture
def single(images, tmp_path):
    """Packages one runbook as an image of a single job."""

    def make(name, script, **more):
        folder = tmp_path / "jobs"
        folder.mkdir()
        (folder / f"{name}.md").write_text(runbook_text(name, script, **more))
        images.package(folder, f"jobs/{name.lower()}", "--single", f"{name}.md")
        return f"jobs/{name.lower()}"

    return make


@pytest.fixture
def volume(images):
    name = images.out("volume", "create")
    yield ("--volume", f"{name}:/data")
    images.docker("volume", "rm", name)


def test_the_exit_code_and_the_streams_are_those_of_the_script(images, job):
    options = ("--env", "NAME=ada", "--env", "CODE=7")
    done = images.run(job[0], options=options, check=False)
    assert done.returncode == 7
    assert done.stdout.splitlines()[0] == "out ada"
    assert "err" in done.stderr.splitlines()


def test_inputs_by_file_and_options_of_the_job(images, job, tmp_path):
    (tmp_path / "job.env").write_text("NAME=bob\nCODE=3\n")
    given = ("--env-file", tmp_path / "job.env")
    done = images.run(job[0], "--json", options=given, check=False)
    found = events(done.stdout)
    assert (done.returncode, found[-1]["type"], found[-1]["return_code"]) == (3, "done", 3)
    assert any(one.get("text") == "out bob\n" for one in found)
    other = images.run(job[0], "execute", "--runbook", "Other.md")
    assert other.stdout == "other\n"


def test_without_an_input_it_says_so(images, job):
    done = images.run(job[0], check=False)
    assert done.returncode == 65
    assert "NAME" in done.stderr


def test_a_hardened_job(images, job):
    done = images.run(job[0], options=(*HARDENED, "--env", "NAME=ada"))
    user, capabilities = done.stdout.splitlines()[1].split()[1], done.stdout.split()[-1]
    assert (user, int(capabilities, 16)) == ("10001", 0)


def test_the_labels_have_the_digests(images, job):
    labels = images.inspect(job[0], "Config.Labels")
    text = (job[1] / "Job.md").read_bytes()
    above = hashlib.sha256(text[: text.index(b"# History")]).hexdigest()
    assert json.loads(labels["runbook.documents"])["Job.md"] == above
    assert labels["runbook.job"] == "Job.md"


def test_an_invalid_runbook_is_not_packaged(images, tmp_path):
    folder = tmp_path / "jobs"
    folder.mkdir()
    (folder / "Bad.md").write_text("# Bad\n")
    assert images.package(folder, "jobs/bad", check=False).returncode == 65
    assert images.out("images", "--quiet", "jobs/bad") == ""


def test_secrets_by_file(images, single, tmp_path):
    inputs = "PASSWORD:\n  type: secret\n  from: file:password\n  description: Of the database"
    image = single("Secret", SECRETS, inputs=inputs)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/password").write_text("correct-horse\n")
    mounted = ("--volume", f"{tmp_path}/secrets:/run/secrets:ro")
    done = images.run(image, options=mounted)
    assert done.stdout.startswith("same ")
    assert "correct-horse" not in done.stdout + done.stderr
    assert images.run(image, check=False).returncode == 65


def test_connections_by_file(images, single, tmp_path):
    inputs = "HOST:\n  type: connection\n  kind: ssh\n  description: Where"
    image = single("Connected", CONNECTION, inputs=inputs, language="python")
    (tmp_path / "connections").mkdir()
    (tmp_path / "connections/HOST.yaml").write_text(
        "kind: ssh\nvalues:\n  host: host.example\n  username: ada\n  password: correct-horse\n"
    )
    mounted = ("--volume", f"{tmp_path}/connections:/run/connections:ro")
    done = images.run(image, options=mounted)
    assert done.stdout.startswith("host host.example ")
    assert "correct-horse" not in done.stdout


def test_the_history_in_a_volume(images, job, volume):
    for code in (0, 7):
        given = (*volume, "--env", "NAME=ada", "--env", f"CODE={code}")
        images.run(job[0], options=given, check=False)
    listed = json.loads(images.run(job[0], "runs", "--json", options=volume).stdout)
    assert [run["return_code"] for run in listed["runs"]] == [7, 0]


def test_the_history_on_standard_output(images, job):
    done = images.run(job[0], options=("--env", "NAME=ada", "--env", "HISTORY=stdout"))
    assert "| Exit Code: 0\n" in done.stdout
    assert "recorded nowhere" not in done.stderr


@pytest.mark.parametrize(
    ("end", "code"), [(("stop", "-t", "60"), 130), (("kill", "--signal", "INT"), 130)]
)
def test_a_signal_ends_the_script_and_leaves_a_record(images, single, volume, end, code):
    image = single("Slow", SLOW)
    container = images.start(image, options=volume)
    images.wait_for_line(container, "ready")
    images.docker(*end, container)
    assert images.out("wait", container) == str(code)
    logs = images.docker("logs", container)
    images.docker("rm", container)
    assert "ended" in logs.stdout
    (run,) = json.loads(images.run(image, "runs", "--json", options=volume).stdout)["runs"]
    assert run["status"] == "cancelled"


def test_orphans_are_reaped_and_their_exit_codes_ignored(images, single):
    """Those of the script by the engine, others by the container's first process."""
    image = single("Orphan", ORPHAN)
    assert images.run(image, "sh", "-c", ZOMBIES).stdout == "done\n"
    assert images.run(image).stdout == "done\n"


def test_claims_are_enforced_with_a_token(images, single):
    image = single("Restricted", "echo allowed", claims="roles: sre")
    enforced = ("--env", "ENFORCE_CLAIMS=true", "--env", f"JWT_SECRET={SECRET}")
    assert images.run(image, options=enforced, check=False).returncode == 77
    for roles, expected in (["sre"], 0), (["viewer"], 77):
        claims = {"sub": "ada", "roles": roles, "iss": "dev-idp", "aud": "dev-api"}
        token = jwt.encode({**claims, "exp": int(time.time()) + 600}, SECRET, "HS256")
        given = (*enforced, "--env", f"RUNBOOK_TOKEN={token}")
        assert images.run(image, options=given, check=False).returncode == expected


def test_the_time_to_the_first_line_of_the_script(images, job):
    """Only measured: the summary has the fastest of several, as other work takes time too."""
    given = ("--env", "NAME=ada")
    for _ in range(5):
        _measure("container of the same base", images, BASE, "echo", "x")
        _measure("container start to the script's first line", images, job[0], options=given)
    assert SECONDS


def _measure(what, images, image, *arguments, options=()):
    command = [images.engine.client, "run", "--rm", *options, image, *arguments]
    start = time.monotonic()
    with subprocess.Popen(
        command, env=images.engine.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as container:
        assert container.stdout.readline()
        took = time.monotonic() - start
    SECONDS[what] = min(took, SECONDS.get(what, took))
