"""The pods of the manifests as processes: read-only root, user 10001, ConfigMap links, SIGTERM."""

import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import httpx
import pytest

from deploy.cluster import await_true, events, submit
from deploy.kubelet import Kubelet
from deploy.test_kubernetes import of, pods, rendered
from integration.conftest import RUNBOOK, Server
from patience import PATIENCE_S
from ports import free_port

pytestmark = pytest.mark.timeout(10 * PATIENCE_S)
SECRET = "0123456789abcdef0123456789abcdef"
SERVERS = ("overlays/single", "helm:default")
HOLD = """
    print ready
    while [[ ! -e /data/go ]]; do sleep 0.05; done
    print ended
"""
LOOK = """
    id -u
    print x > /runbooks/x && exit 4
    print x > /usr/x && exit 5
    print x > x.sh && print 'print ran' > x.sh && zsh ./x.sh
    grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status
    pwd
"""


def runbook(name, script, inputs=""):
    return RUNBOOK.format(
        name=name, script=script, inputs=inputs, files="", claims="", language="zsh"
    )


@pytest.fixture
def folder():
    folder = Path(tempfile.mkdtemp(prefix="pod-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


class PodServer(Server):
    """The server of a Deployment."""

    def __init__(self, kubelet, deployment):
        self._kubelet = kubelet
        self._template = deployment["spec"]["template"]
        (container,) = self._template["spec"]["containers"]
        self.args = container["args"]
        self.grace_s = self._template["spec"]["terminationGracePeriodSeconds"]
        self.pre_stop = container["lifecycle"]["preStop"]["exec"]["command"]
        self.port, self.metrics_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = kubelet.environment(container) | {
            "BIND_HOST": "127.0.0.1",
            "API_PORT": str(self.port),
            "METRICS_PORT": str(self.metrics_port),
        }
        self.paths = {
            kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "readiness")
        }
        self.log = []
        self._process = None

    def start(self, *, wait=True):
        self.pod = self._kubelet.pod("engine", self._template)
        self._process = self.pod.start(
            *(sys.executable, "-m", *self.args),
            environment=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process.stderr,))
        self._reader.start()
        if wait:
            self.wait_ready()
        return self

    def stop(self, timeout=2 * PATIENCE_S):
        if self._process is not None and self._process.poll() is None:
            self.pod.terminate()
        return self.wait(timeout)

    def probe(self, kind):
        return httpx.get(f"{self.url}{self.paths[kind]}").status_code

    def client(self, subject="ann"):
        import jwt

        claims = {"iss": "dev-idp", "aud": "dev-api", "sub": subject, "roles": ["sre"]}
        token = jwt.encode({**claims, "exp": 4102444800}, SECRET, "HS256")
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=2 * PATIENCE_S)


@pytest.fixture(params=SERVERS)
def prepare(request, folder):
    """A server of the manifests, with the runbooks of the test in the ConfigMap."""
    started = []

    def call(books, **settings):
        objects = [dict(one) for one in rendered(request.param)]
        for one in of(objects, "ConfigMap"):
            if one["metadata"]["name"].endswith("-runbooks"):
                one["data"] = {f"{name}.md": text for name, text in books.items()}
                server_map = one["metadata"]["name"]
            else:
                one["data"] = one["data"] | settings
        (deployment,) = of(objects, "Deployment")
        volumes = deployment["spec"]["template"]["spec"]["volumes"]
        (secret,) = (v["secret"]["secretName"] for v in volumes if "secret" in v)
        kubelet = Kubelet(folder, objects, {secret: {"jwt_secret": SECRET + "\n"}})
        server = PodServer(kubelet, deployment)
        server.books = kubelet.config_map(server_map)
        started.append(server)
        return server

    yield call
    for server in started:
        if server._process is not None and server._process.poll() is None:
            server.stop()


def test_a_server_works_with_a_read_only_root_and_links(prepare):
    server = prepare(
        {"Look": runbook("Look", LOOK), "Hello": runbook("Hello", "print one")}
    ).start()
    assert (server.probe("liveness"), server.probe("readiness")) == (200, 200)
    with server.client() as client:
        listed = client.get("/api/runbooks").json()["runbooks"]
        assert {one["path"] for one in listed} == {"Look.md", "Hello.md"}
        headers = {"Accept": "application/json"}
        done = client.post("/api/runbooks/Look.md/execute", headers=headers).json()
        assert done["return_code"] == 0, done
        user, ran, bound, effective, no_new, at = done["stdout"].split("\n")[:6]
        assert (user, ran) == ("10001", "ran")
        assert {bound.split()[1], effective.split()[1]} == {"0" * 16}
        assert no_new.split() == ["NoNewPrivs:", "1"]
        assert at.startswith("/runs/")
        assert client.get("/api/runbooks/Look.md/history").json()["entries"]
    assert server.stop() == 0


def test_a_changed_config_map_reaches_the_running_server(prepare):
    server = prepare({"Hello": runbook("Hello", "print one")}).start()
    headers = {"Accept": "application/json"}
    with server.client() as client:

        def said():
            return client.post("/api/runbooks/Hello.md/execute", headers=headers).json()["stdout"]

        assert said() == "one\n"
        server.books.update({"Hello.md": runbook("Hello", "print two")})
        assert said() == "two\n"
    assert server.stop() == 0


def test_a_stop_lets_runs_end_and_takes_the_server_out_of_service(prepare, folder):
    server = prepare({"Hold": runbook("Hold", HOLD)}).start()
    with server.client() as client:
        run_id = submit(client, "Hold.md")
        followed = events(client, run_id)
        seen = list(itertools.takewhile(lambda event: event["type"] != "stdout", followed))
        assert seen
        server.pod.terminate()
        await_true(lambda: server.probe("readiness") == 503, "it still accepts runs")
        assert server.probe("liveness") == 200
        (folder / "volume-data/go").touch()
        *_, last = followed
    assert last["type"] == "done"
    assert server.wait() == 0
    (recorded,) = server.events_logged("run.record")
    assert (recorded["status"], recorded["return_code"]) == ("succeeded", 0)


def test_what_has_not_ended_after_the_drain_is_recorded(prepare):
    """Within the grace period: the server does not need SIGKILL."""
    server = prepare({"Hold": runbook("Hold", HOLD)}, DRAIN_SECONDS="1").start()
    with server.client() as client:
        run_id = submit(client, "Hold.md")
        assert any(event["type"] == "stdout" for event in events(client, run_id))
        server.pod.terminate()
    assert server.wait(server.grace_s) == 0
    (recorded,) = server.events_logged("run.record")
    assert (recorded["status"], recorded["return_code"]) == ("interrupted", -1)


def test_a_grace_period_that_is_too_short_is_refused_at_the_start(prepare):
    server = prepare({"Hello": runbook("Hello", "true")}, DRAIN_SECONDS="300")
    server.start(wait=False)
    assert server.wait() == 78
    assert "STOP_TIMEOUT_SECONDS" in "".join(server.log)


# -- jobs ------------------------------------------------------------------------------------------

JOBS = ("overlays/job", "helm:full")


@pytest.fixture(params=[(name, kind) for name in JOBS for kind in ("Job", "CronJob")], ids=str)
def job(request, folder):
    """The pod of a job whose runbook has another script, its command and its environment."""
    name, kind = request.param
    objects = [dict(one) for one in rendered(name)]
    (template,) = pods(of(objects, kind))

    def call(script, **inputs):
        declared = "\n".join(f"{key}: Text." for key in inputs)
        for one in of(objects, "ConfigMap"):
            if "-runbooks" in one["metadata"]["name"]:
                one["data"] = {"Hello.md": runbook("Hello", script, declared)}
        secrets = {name: {"token": "s3cret\n"} for name in ("runbook-inputs", "inputs")}
        kubelet = Kubelet(folder, objects, secrets)
        (container,) = template["spec"]["containers"]
        command = (sys.executable, "-m", *container["args"])
        return kubelet.pod("job", template), command, kubelet.environment(container) | inputs

    return call


def test_the_exit_code_of_a_job_is_that_of_the_script(job):
    pod, command, environment = job("print said $WORD; exit 7", WORD="it")
    process = pod.start(
        *command, environment=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (7, "said it\n"), err


def test_a_job_that_is_stopped_ends_its_script(job, folder):
    pod, command, environment = job(
        "trap 'print cleaned; exit 9' INT; print ready; sleep 1000 & wait"
    )
    process = pod.start(
        *command,
        "--json",
        environment=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if "ready" in line:
            break
    pod.terminate()
    *_, last = more = [json.loads(line) for line in process.stdout]
    assert any("cleaned" in event.get("text", "") for event in more)
    assert last["status"] == "cancelled"
    assert process.wait(PATIENCE_S) != 0
    process.stderr.close()
    process.stdout.close()
