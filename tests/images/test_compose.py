"""The compose files on a real engine."""

import json
import os
import subprocess
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import jwt
import pytest

from images.building import BASE, ROOT, runbook_text, timed

DOCKER = ROOT / "docker"
STAND_INS = Path(__file__).parent / "stand_ins"
ENGINES = ("engine-a", "engine-b", "engine-c")
EXECUTIONS = 10
"""RATE_LIMIT_EXECUTE_PER_MINUTE by default."""
HTTPS = 8443
HTTP = 8080
HOLD = "print begun\nwhile [[ ! -e /data/$GATE ]]; do sleep 0.05; done\nprint ended"


@pytest.fixture(scope="module")
def stand_ins(images):
    """The variables that name images in the place of the official ones."""
    found = {}
    for name in ("nginx", "postgres", "redis"):
        tag = f"tests/{name}"
        file = STAND_INS / f"{name}.Dockerfile"
        images.build_once(file, tag, context=STAND_INS, BASE_IMAGE=BASE)
        found[f"{name.upper()}_IMAGE"] = tag
    return found


class Stack:
    """Services of compose files, whose containers are reached in the engine's network."""

    def __init__(self, images, folder, files, **variables):
        self.images = images
        self.secrets = folder / "secrets"
        self._files = [word for file in files for word in ("-f", DOCKER / f"compose.{file}.yaml")]
        self._project = f"test-{uuid.uuid4().hex[:8]}"
        self._environment = images.engine.environment | {
            "RUNBOOK_IMAGE": "runbook",
            "SECRETS_FOLDER": str(self.secrets),
            "HTTPS_PORT": str(HTTPS),
            "HTTP_PORT": str(HTTP),
            **variables,
        }
        subprocess.run(
            [DOCKER / "secrets.sh", "localhost"],
            env={"PATH": os.environ["PATH"], "SECRETS_FOLDER": str(self.secrets)},
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def compose(self, *arguments, check=True):
        command = ("compose", "-p", self._project, *self._files, *arguments)
        return self.images.docker(*command, env=self._environment, check=check).stdout

    def up(self, *arguments):
        try:
            self.compose("up", "--detach", "--wait", "--wait-timeout", "240", *arguments)
        except AssertionError as failure:
            logs = self.compose("logs", "--tail", "20", check=False)
            raise AssertionError(f"{failure}\n{logs}") from None

    def down(self):
        self.compose("down", "--volumes", "--timeout", "5")

    def container(self, service):
        return self.compose("ps", "--all", "--quiet", service).strip()

    def containers(self):
        return self.compose("ps", "--all", "--quiet").split()

    def touch(self, service, path):
        self.images.docker("exec", self.container(service), "touch", path)

    def address(self, service):
        networks = self.images.inspect(self.container(service), "NetworkSettings.Networks")
        (edge,) = (one for name, one in networks.items() if name.endswith(("_edge", "_default")))
        return f"http://{edge['IPAddress']}:8083"

    def token(self, subject):
        secret = (self.secrets / "jwt_secret").read_text().strip()
        registered = {"iss": "dev-idp", "aud": "dev-api", "exp": time.time() + 3600}
        return jwt.encode({**registered, "sub": subject, "roles": ["sre"]}, secret, "HS256")


class Caller:
    """curl in the engine's network, where the addresses of containers are known."""

    def __init__(self, stack, base, token=None, *options):
        self._stack = stack
        self._base = base
        allowed = ("-H", f"Authorization: Bearer {token}") if token else ()
        self._options = [*allowed, *options]

    def command(self, path, *options):
        curl = ("curl", "--silent", "--show-error", *self._options, *options, self._base + path)
        return self._stack.images.engine.inside(*curl)

    def ask(self, path, *options):
        """The status and the JSON of an answer."""
        command = self.command(path, "--write-out", "\n%{http_code}", *options)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return done.returncode, done.stderr
        text, _, code = done.stdout.rpartition("\n")
        return int(code), json.loads(text) if text.startswith(("{", "[")) else text

    def execute(self, ref, *options, **env_vars):
        body = json.dumps({"env_vars": env_vars})
        given = ("-H", "Content-Type: application/json", "--data", body, *options)
        return self.ask(f"/api/runbooks/{ref}/execute", *given)

    def submit(self, ref, *options, **env_vars):
        return self.execute(ref, "-H", "Prefer: respond-async", *options, **env_vars)

    def run_to_its_end(self, ref, **env_vars):
        status, done = self.execute(ref, "-H", "Accept: application/json", **env_vars)
        assert (status, done["success"]) == (200, True), done
        return done

    @contextmanager
    def events(self, run_id):
        """The events of a run as they arrive."""
        command = self.command(f"/api/runs/{run_id}/events", "--no-buffer")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
            yield (json.loads(line[6:]) for line in curl.stdout if line.startswith("data: "))
            curl.kill()

    def outcome(self, run_id):
        with self.events(run_id) as events:
            for _ in events:
                pass
        return self.ask(f"/api/runs/{run_id}")[1]


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compose") / "runbooks"
    folder.mkdir()
    for name, script, inputs in (
        ("Hold", HOLD, "GATE: A name."),
        ("Hello", "print hello; id -u; print x > /runbooks/Hello.md || true", ""),
    ):
        (folder / f"{name}.md").write_text(runbook_text(name, script, inputs=inputs))
    for path in (folder, *folder.parents[:3]):
        path.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def start(images, stand_ins, tmp_path_factory):
    """Starts a stack in the place of the one before, and waits until all of it is healthy."""
    started = []

    def end():
        while started:
            started.pop().down()

    def call(*files, **variables):
        end()
        folder = tmp_path_factory.mktemp("stack")
        stack = Stack(images, folder, files, **stand_ins, **variables)
        started.append(stack)  # also if not all of it starts
        with timed(f"up {files}"):
            stack.up()
        return stack

    yield call
    end()


@pytest.fixture(scope="module")
def multi(start, books):
    return start("multi", RUNBOOKS_FOLDER=str(books))


def by_proxy(stack, subject):
    options = ("--cacert", str(stack.secrets / "tls.crt"))
    route = ("--resolve", f"localhost:{HTTPS}:{stack.images.engine.address}")
    return Caller(stack, f"https://localhost:{HTTPS}", stack.token(subject), *options, *route)


def subject():
    return f"user-{uuid.uuid4()}"


def on_each(stack, name):
    return [Caller(stack, stack.address(service), stack.token(name)) for service in ENGINES]


def test_all_services_are_healthy_and_confined(images, multi):
    containers = multi.containers()
    assert len(containers) == 6
    for container in containers:
        state, host = images.inspect(container, "State"), images.inspect(container, "HostConfig")
        assert state["Health"]["Status"] == "healthy"
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert host["Memory"] > 0
        assert host["PidsLimit"] > 0
        assert {"Name": "nofile", "Soft": 16384, "Hard": 16384} in host["Ulimits"]
        assert images.inspect(container, "Config.User") not in ("", "0", "root")


def test_a_run_is_submitted_on_one_followed_on_another_and_cancelled_on_the_third(multi):
    a, b, c = on_each(multi, subject())
    status, accepted = a.submit("Hold.md", GATE="never")
    assert status == 202, accepted
    with b.events(accepted["run_id"]) as events:
        seen = []
        for event in events:
            seen.append(event)
            if event["type"] == "stdout":
                path = f"/api/runs/{accepted['run_id']}/cancel"
                assert c.ask(path, "--request", "POST")[0] in (200, 202)
    assert [event["n"] for event in seen] == list(range(1, len(seen) + 1))
    assert seen[-1]["type"] == "done"
    assert a.ask(f"/api/runs/{accepted['run_id']}")[1]["status"] == "cancelled"


def test_history_of_the_read_only_mount_is_in_the_api(multi, books):
    before = (books / "Hello.md").read_bytes()
    a, _, c = on_each(multi, subject())
    done = a.run_to_its_end("Hello.md")
    assert done["stdout"].splitlines() == ["hello", "10001"]
    newest = c.ask("/api/runbooks/Hello.md/history")[1]["entries"][0]
    assert newest["run_id"] == done["run_id"]
    assert (books / "Hello.md").read_bytes() == before


def test_the_rate_limit_is_exact_across_the_instances(multi):
    name = subject()
    callers = [*on_each(multi, name), by_proxy(multi, name)] * EXECUTIONS
    with ThreadPoolExecutor(8) as pool:
        codes = Counter(code for code, _ in pool.map(lambda one: one.submit("Hello.md"), callers))
    assert codes == {202: EXECUTIONS, 429: 3 * EXECUTIONS}


def test_tls_and_security_headers(multi):
    caller = by_proxy(multi, subject())
    code, headers = caller.ask("/api/public", "--dump-header", "-", "--output", "/dev/null")
    assert code == 200
    for wanted in ("strict-transport-security: max-age=", "x-content-type-options: nosniff"):
        assert headers.lower().count(wanted) == 1
    assert caller.ask("/metrics")[0] == 404
    plain = Caller(multi, f"http://{multi.images.engine.address}:{HTTP}")
    assert plain.ask("/api/public")[0] == 308


def test_an_instance_that_is_stopped_amid_runs_loses_nothing(multi):
    proxied = by_proxy(multi, subject())
    runs = [proxied.submit("Hold.md", GATE="open")[1]["run_id"] for _ in range(6)]
    for run_id in runs:
        with proxied.events(run_id) as events:
            assert any(event["type"] == "stdout" for event in events)
    with ThreadPoolExecutor(1) as pool:
        stop = pool.submit(multi.compose, "stop", "engine-a")
        assert proxied.run_to_its_end("Hello.md")["return_code"] == 0
        multi.touch("engine-b", "/data/open")  # the volume is shared
        stop.result()
    assert multi.images.inspect(multi.container("engine-a"), "State.ExitCode") == 0
    assert {proxied.outcome(run_id)["status"] for run_id in runs} == {"succeeded"}
    multi.up("--no-deps", "engine-a")


def test_records_survive_new_containers_of_all_services(multi):
    proxied = by_proxy(multi, subject())
    done = proxied.run_to_its_end("Hello.md")
    before = multi.containers()
    multi.up("--force-recreate")
    assert not {*before} & {*multi.containers()}
    assert proxied.ask(f"/api/runs/{done['run_id']}")[1]["status"] == "succeeded"
    assert proxied.run_to_its_end("Hello.md")["return_code"] == 0


# -- the others ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def packaged(images, books):
    file = books.parent / "Dockerfile"
    file.write_text("FROM runbook\nCOPY runbooks /runbooks\n")
    images.build(file, "tests/packaged", context=books.parent)
    return "tests/packaged"


def test_one_instance_keeps_its_records_in_a_volume(start, books):
    stack = start("single", RUNBOOKS_FOLDER=str(books))
    proxied = by_proxy(stack, subject())
    assert proxied.run_to_its_end("Hello.md")["stdout"].splitlines() == ["hello", "10001"]
    stack.up("--force-recreate")
    assert len(proxied.ask("/api/runbooks/Hello.md/history")[1]["entries"]) == 1


def test_one_instance_with_runbooks_in_its_image(start, packaged):
    stack = start("single", "single.packaged", RUNBOOK_IMAGE=packaged)
    proxied = by_proxy(stack, subject())
    assert proxied.run_to_its_end("Hello.md")["stdout"].splitlines() == ["hello", "10001"]
    assert len(proxied.ask("/api/runbooks/Hello.md/history")[1]["entries"]) == 1


def test_development_with_the_samples(start, images):
    """`make up` does this after it has created the secret and built the image."""
    stack = start("dev", RUNBOOK_IMAGE="runbook")
    base = stack.address("engine")
    login = Caller(stack, base).ask("/dev-login", "--request", "POST")[1]
    listed = Caller(stack, base, login["access_token"]).ask("/api/runbooks")[1]["runbooks"]
    samples = {path.name for path in (ROOT / "samples/runbooks").glob("*.md")}
    assert {one["filename"] for one in listed} >= samples
    (port,) = images.inspect(stack.container("engine"), "HostConfig.PortBindings")["8083/tcp"]
    assert port["HostIp"] == "127.0.0.1"
