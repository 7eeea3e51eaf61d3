"""The other monitoring files fit what the engine writes and what the other files here say."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.prometheus import MONITORING
from integration import conftest as integration
from needs import need

ROOT = Path(__file__).parents[2]
ALLOY = (MONITORING / "config.alloy").read_text()
LOGS = json.loads((MONITORING / "grafana/dashboards/logs.json").read_text())
QUERIES = [target["expr"] for panel in LOGS["panels"] for target in panel["targets"]]
LABELS = {"service", "level"}


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """What a server logs of a run, a refused one and a guessed token."""
    with integration.running(tmp_path_factory.mktemp("log"), LOGGING_LEVEL="DEBUG") as server:
        server.add("Quick", "print quick")
        server.add("Sre", "true", claims="roles: sre")
        with server.client("vic", roles=["viewer"]) as client:
            client.post("/api/runbooks/Quick.md")
            client.post("/api/runbooks/Sre.md/execute")
            client.get("/api/runs", headers={"Authorization": "Bearer guessed"})
    return [json.loads(line) for line in server.log if line.startswith("{")]


def test_every_line_has_what_alloy_reads(lines):
    (read,) = re.findall(r"expressions = \{(.*)\}", ALLOY)
    fields = re.findall(r'= "(\w+)"', read)
    assert set(fields) == {"level", "time"}
    assert all(line.keys() >= set(fields) for line in lines)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+(\.\d+)?Z", line["time"]) for line in lines)


def test_alloy_sets_the_labels_that_the_dashboard_selects():
    labels, values = re.findall(r"values = \{(\w+) += \"(\w*)\"\}", ALLOY)
    assert {labels[0], values[0]} == LABELS
    for query in QUERIES:
        (selector,) = re.findall(r"\{([^}]*)\}", query)
        assert selector == f'{values[0]}="{values[1]}"'


def test_the_events_and_fields_of_the_queries_exist(lines):
    documented = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", (ROOT / "docs/log-events.md").read_text()))
    seen = {field for line in lines for field in line}
    for query in QUERIES:
        for events in re.findall(r'event=~?"([^"]*)"', query):
            if "." in events:
                assert set(events.split("|")) <= documented
        for field in re.findall(r'\w+="(\w+)"', query.partition("| json")[2].partition("|")[0]):
            assert field in seen, field


def test_docker_compose_accepts_the_file():
    folders = (ROOT / ".tools/deploy/bin", os.environ["PATH"])
    program = shutil.which("docker-compose", path=":".join(map(str, folders)))
    need(program, "docker-compose, which make test-deploy installs")
    done = subprocess.run(
        [program, "-f", MONITORING / "compose.yaml", "--profile", "*", "config", "--format=json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for service in json.loads(done.stdout)["services"].values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        for volume in service["volumes"]:
            if volume["type"] == "bind" and volume["source"].startswith(str(ROOT)):
                assert Path(volume["source"]).exists()
        for port in service.get("ports", ()):
            assert port["host_ip"] == "127.0.0.1"


@pytest.mark.parametrize("path", sorted(MONITORING.rglob("*.y*ml")), ids=lambda path: path.name)
def test_a_file_is_yaml(path):
    assert yaml.safe_load(path.read_text())
