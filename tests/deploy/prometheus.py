"""A real Prometheus with promtool: installed, or Debian's package, unpacked below .cache."""

import fcntl
import json
import shutil
import subprocess
import time
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import yaml

from patience import PATIENCE_S
from ports import free_port

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "prometheus"
MONITORING = ROOT / "docker" / "monitoring"
WEB = "https://runbooks.example.com"


class ToolsMissingError(Exception):
    pass


def tools():
    """The folder of the programs `prometheus` and `promtool`."""
    found = shutil.which("promtool")
    if found and shutil.which("prometheus"):
        return Path(found).parent
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = CACHE / "usr" / "bin"
        if not (folder / "prometheus").is_file():
            _unpack()
    return folder


def _unpack():
    print(f"unpacking Debian's package prometheus into {CACHE}")
    for refresh in (False, True):
        if refresh:  # the lists of packages may be missing or old
            subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
        done = subprocess.run(
            ["apt-get", "download", "-qq", "prometheus"],
            cwd=CACHE,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            break
    packages = sorted(CACHE.glob("prometheus_*.deb"))
    if not packages:
        raise ToolsMissingError(
            "Install prometheus and promtool: the tests of alerts and dashboards need them, and "
            f"`apt-get download prometheus` failed: {done.stderr.strip()}"
        )
    subprocess.run(["dpkg", "-x", packages[-1], CACHE], check=True)


def rules(*, at_once=False):
    """The alert rules; `at_once` without waiting for a condition to last."""
    text = (MONITORING / "alerts.yml").read_text()
    if not at_once:
        return text
    groups = yaml.safe_load(text)
    for group in groups["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    return yaml.safe_dump(groups)


def alerts():
    """The alert rules by name; of two with a name, the last one."""
    groups = yaml.safe_load(rules())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


class Prometheus:
    def __init__(self, url):
        self._client = httpx.Client(base_url=url, timeout=PATIENCE_S)

    def close(self):
        self._client.close()

    def is_ready(self):
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.HTTPError:
            return False

    def query(self, expression):
        reply = self._client.get("/api/v1/query", params={"query": expression})
        assert reply.status_code == 200, f"{expression}: {reply.text}"
        return reply.json()["data"]["result"]

    def firing(self, name):
        """The alerts of this name that fire, with what they say."""
        found = self._client.get("/api/v1/alerts").json()["data"]["alerts"]
        return [
            one for one in found if one["labels"]["alertname"] == name and one["state"] == "firing"
        ]

    def wait_for(self, what, attempt):
        """What `attempt` gives, once that is something."""
        deadline = time.monotonic() + 2 * PATIENCE_S
        while time.monotonic() < deadline:
            if found := attempt():
                return found
            time.sleep(0.2)  # Prometheus tells nobody when it has scraped
        raise AssertionError(f"not within {2 * PATIENCE_S:.0f} s: {what}")


@contextmanager
def running(folder, targets, rules_text):
    """Scrapes and evaluates each second, with the scrape configuration that we ship."""
    (folder / "alerts.yml").write_text(rules_text)
    shipped = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    shipped["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    shipped.pop("alerting")
    (job,) = shipped["scrape_configs"]
    assert job.pop("file_sd_configs")
    job["static_configs"] = [{"targets": targets}]
    (folder / "prometheus.yml").write_text(json.dumps(shipped))
    address = f"127.0.0.1:{free_port()}"
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                tools() / "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/tsdb",
                f"--web.listen-address={address}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        with closing(Prometheus(f"http://{address}")) as found:
            found.wait_for("Prometheus is ready", found.is_ready)
            yield found
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
