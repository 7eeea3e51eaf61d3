"""compose.multi.yaml without containers: its settings, secrets and nginx configuration."""

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import httpx
import jwt

import databases
from deploy import tools
from deploy.pod import USER, Pod
from integration.conftest import Server
from patience import PATIENCE_S
from ports import free_port

NAMES = ("engine-a", "engine-b", "engine-c")
SERVER_SECRETS = "/run/server-secrets"
NGINX_USER = 101
CLIENT_ADDRESS = "127.0.0.9"
COMMAND = (sys.executable, "-m", "runbook", "serve")


def await_true(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class Instance(Server):
    """One service of the compose file: `runbook serve` in a pod."""

    def __init__(self, site, name, environment):
        self.site, self.name = site, name
        self.folder = site.folder / name
        self.runbooks, self.data = site.runbooks, site.data
        self.port, self.metrics_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            # What the image sets by itself.
            "RUNBOOKS_DIR": "/runbooks",
            "DATA_DIR": "/data",
            "HOME": "/data",
            **environment,
            # The instances share the network of the test, and with it the ports.
            "BIND_HOST": "127.0.0.1",
            "API_PORT": str(self.port),
            "METRICS_PORT": str(self.metrics_port),
            "TRUSTED_PROXIES": "127.0.0.1",
        }
        self.log = []
        self._process = self.pod = None

    def start(self, *, wait=True):
        mounts = {
            "/runbooks": self.runbooks,
            "/data": self.data,
            SERVER_SECRETS: self.site.secrets,
            "/marks": self.site.marks,
            "/tmp": None,
            "/runs": None,
        }
        self.pod = Pod(self.folder / "root", self.name, mounts, writable={"/data", "/marks"})
        self._process = self.pod.start(
            *COMMAND,
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

    def terminate(self):
        self.pod.terminate()

    def stop(self, timeout=2 * PATIENCE_S):
        if self._process is None:
            return None
        if self._process.poll() is None:
            self.terminate()
        return self.wait(timeout)

    def kill(self):
        """The end of a container that got SIGKILL: no process of it is left."""
        self.pod.kill()
        self._reader.join()

    def restart(self):
        assert self.stop() == 0
        return self.start()


class Redis:
    """With the configuration that the service's entry point writes."""

    def __init__(self, folder, password):
        self.port = free_port()
        self._configuration = folder / "redis.conf"
        entry = tools.compose("multi")["services"]["redis"]["entrypoint"]
        (text,) = re.findall(r"printf '(.*?)'", entry[-1])
        text = text.encode().decode("unicode_escape").replace("/tmp", str(folder))
        self._configuration.write_text(f"{text}{password}\nport {self.port}\nbind 127.0.0.1\n")
        self._process = None

    def start(self):
        command = [tools.program("redis-server"), self._configuration]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for line in self._process.stdout:
            if "Ready to accept connections" in line:
                return self
        raise AssertionError("redis-server did not start")

    def stop(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE_S)
            self._process.stdout.close()

    def restart(self):
        self.stop()
        self.start()


class Postgres(databases.Server):
    """Reached by the network, as in the compose file."""

    def __init__(self, folder):
        self.port = free_port()
        super().__init__(folder, listen_addresses="127.0.0.1", port=str(self.port))

    def url(self, name):
        return f"postgresql://{databases.ROLE}@127.0.0.1:{self.port}/{name}"

    def restart(self):
        """A fast shutdown: clients are disconnected."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(PATIENCE_S)
        self._process = None
        self.start()


class Nginx:
    """With docker/nginx; only addresses, ports and folders are others."""

    def __init__(self, folder, secrets, upstream, ports_of):
        """`ports_of` is a mapping of the names in the upstream's file to ports."""
        self.https, self.http, self.health = (free_port() for _ in range(3))
        self.folder = folder
        self.address = f"https://localhost:{self.https}"
        folder.mkdir()
        (folder / "log").touch()
        servers = (tools.DOCKER / "nginx/upstream" / f"{upstream}.conf").read_text()
        for name, port in ports_of.items():
            servers = replaced(servers, f"{name}:8083", f"127.0.0.1:{port}", 1)
        (folder / "upstream.conf").write_text(servers)
        text = (tools.DOCKER / "nginx/nginx.conf").read_text()
        for old, new, count in (
            ("/tmp/", f"{folder}/", 6),
            (SERVER_SECRETS, str(secrets), 2),
            ("include upstream.conf", f"include {folder}/upstream.conf", 1),
            ("[::]:", "[::1]:", 2),
            (":8443 ssl", f":{self.https} ssl", 1),
            ("listen 8443", f"listen 127.0.0.1:{self.https}", 1),
            (":8080 default", f":{self.http} default", 1),
            ("listen 8080", f"listen 127.0.0.1:{self.http}", 1),
            ("127.0.0.1:8081", f"127.0.0.1:{self.health}", 1),
        ):
            text = replaced(text, old, new, count)
        self._configuration = folder / "nginx.conf"
        self._configuration.write_text(text)
        self._process = None
        if os.geteuid() == 0:  # as in the container, it is not root
            for path in (folder, folder / "log"):
                os.chown(path, NGINX_USER, NGINX_USER)

    def command(self, *more):
        # The error log of its own until it has read the configuration.
        ids = (f"--reuid={NGINX_USER}", f"--regid={NGINX_USER}", "--clear-groups")
        become = ["setpriv", *ids] if os.geteuid() == 0 else []
        program = [tools.program("nginx"), "-e", "stderr"]
        return [*become, *program, "-c", str(self._configuration), *more]

    def start(self):
        with (self.folder / "log").open("ab") as log:
            command = self.command("-g", "daemon off;")
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        await_true(self._answers, "nginx didn't start")
        return self

    def check(self):
        """The exit code of `nginx -t`, and what it says."""
        with (self.folder / "log").open("r+") as log:
            log.truncate()
            code = subprocess.run(
                self.command("-t"), stdout=log, stderr=log, check=False
            ).returncode
            log.seek(0)
            return code, log.read()

    def _answers(self):
        assert self._process.poll() is None, (self.folder / "log").read_text()
        try:
            return httpx.get(f"http://127.0.0.1:{self.health}/").text == "ok\n"
        except httpx.HTTPError:
            return False

    def stop(self):
        """As the compose file does: after the requests in progress, but not longer than 15 s."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(PATIENCE_S)

    def restart(self):
        self.stop()
        self.start()


def replaced(text, old, new, count):
    assert text.count(old) == count, (old, text.count(old))
    return text.replace(old, new)


class Site:
    """Three instances, PostgreSQL, Redis and nginx."""

    def __init__(self, folder, **settings):
        self.folder = folder
        for name in ("runbooks", "data", "marks"):
            (folder / name).mkdir()
            setattr(self, name, folder / name)
        for writable in (self.data, self.marks):
            os.chown(writable, USER, USER)
        self.secrets = folder / "secrets"
        tools.output(
            tools.DOCKER / "secrets.sh",
            "localhost",
            env={"PATH": os.environ["PATH"], "SECRETS_FOLDER": str(self.secrets)},
        )
        # An engine of containers mounts each file by itself, whatever its folder permits.
        self.secrets.chmod(0o755)
        self.postgres = Postgres(Path(tempfile.mkdtemp(prefix="pg-deploy-")))
        self.redis = Redis(folder, self.secret("redis_password"))
        self._rewrite("database_url", "@postgres/", f"@127.0.0.1:{self.postgres.port}/")
        self._rewrite("redis_url", "@redis:6379/", f"@127.0.0.1:{self.redis.port}/")
        services = tools.compose("multi")["services"]
        self.instances = [
            Instance(self, name, {**services[name]["environment"], **settings}) for name in NAMES
        ]
        ports = {one.name: one.port for one in self.instances}
        self.nginx = Nginx(folder / "nginx", self.secrets, "multi", ports)

    def secret(self, name):
        return (self.secrets / name).read_text().strip()

    def _rewrite(self, name, old, new):
        path = self.secrets / name
        text = replaced(path.read_text(), old, new, 1)
        path.unlink()
        path.write_text(text)

    def start(self):
        self.postgres.start()
        with self.postgres.connected() as connection:
            connection.execute("CREATE DATABASE runbook ENCODING 'UTF8' TEMPLATE template0")
        self.redis.start()
        for one in self.instances:  # all migrate at the same time
            one.start(wait=False)
        for one in self.instances:
            one.wait_ready()
        self.nginx.start()
        return self

    def stop(self):
        """All that was started, also if a start failed."""
        self.nginx.stop()
        codes = [one.stop() for one in self.instances]
        self.redis.stop()
        self.postgres.remove()
        assert set(codes) <= {0, None}, codes

    def token(self, subject, roles=("sre",)):
        now = int(time.time())
        claims = {"iss": "dev-idp", "aud": "dev-api", "exp": now + 3600}
        return jwt.encode(
            {**claims, "sub": subject, "roles": list(roles)}, self.secret("jwt_secret"), "HS256"
        )

    @cached_property
    def tls(self):
        """Trusts the certificate of nginx."""
        return ssl.create_default_context(cafile=self.secrets / "tls.crt")

    def client(self, at=None, subject="ann", **more):
        """A caller of an instance, or by nginx."""
        headers = {"Authorization": f"Bearer {self.token(subject)}"}
        return httpx.Client(
            base_url=self.nginx.address if at is None else at.url,
            verify=self.tls,
            headers=headers,
            timeout=2 * PATIENCE_S,
            **more,
        )

    def query(self, statement):
        with self.postgres.connected("runbook") as connection:
            return connection.execute(statement).fetchall()


@contextmanager
def running(**settings):
    folder = Path(tempfile.mkdtemp(prefix="site-"))
    folder.chmod(0o755)
    site = Site(folder, **settings)
    try:
        yield site.start()
    finally:
        site.stop()
        shutil.rmtree(folder)


def submit(client, ref, key=None, **env_vars):
    headers = {"Prefer": "respond-async", **({"Idempotency-Key": key} if key else {})}
    reply = client.post(
        f"/api/runbooks/{ref}/execute", json={"env_vars": env_vars}, headers=headers
    )
    assert reply.status_code == 202, reply.text
    return reply.json()["run_id"]


def events(client, run_id, after=0):
    """The events of a run as they arrive."""
    with client.stream("GET", f"/api/runs/{run_id}/events?after={after}") as reply:
        assert reply.status_code == 200, reply.read()
        for line in reply.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line[6:])


def outcome(client, run_id):
    """The run, once it has ended."""
    for _ in events(client, run_id):
        pass
    return client.get(f"/api/runs/{run_id}").json()
