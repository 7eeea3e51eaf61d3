"""Each query of the dashboard returns data of a real server, through a real Prometheus."""

import json
import re
import subprocess
from contextlib import ExitStack

import httpx
import pytest
import yaml

from deploy.prometheus import MONITORING, rules, running, tools
from integration import conftest as integration

GRAFANA = MONITORING / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboards/runbook.json").read_text())
LOGS = json.loads((GRAFANA / "dashboards/logs.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = {
    f"{panel['title']}-{target['refId']}": target["expr"]
    for panel in PANELS
    for target in panel["targets"]
}
VARIABLES = {one["name"]: one for one in DASHBOARD["templating"]["list"]}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """Scrapes a server that has done everything that the dashboard shows."""
    folder = tmp_path_factory.mktemp("dashboard")
    with ExitStack() as ends:
        settings = {"RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_PER_MINUTE": 40}
        server = ends.enter_context(
            integration.running(folder / "server", **settings, RATE_LIMIT_EXECUTE_PER_MINUTE=500)
        )
        server.add("Quick", "print quick")
        server.add("Fails", "exit 3")
        server.add("Sre", "true", claims="roles: sre")
        found = ends.enter_context(running(folder, [f"127.0.0.1:{server.port}"], rules()))
        for number in (1, 2):  # a rate needs two samples
            do_everything(server)
            ended = f'sum(runbook_runs_total{{status!="refused"}}) == {number * 6}'
            refused = f"sum(runbook_runs_refused_total) == {number * 3}"
            for count in (ended, refused):
                found.wait_for(count, lambda: found.query(count))  # noqa: B023 # at once
        found.server_url = server.url
        yield found


def test_promtool_accepts_the_metrics(prometheus):
    text = httpx.get(f"{prometheus.server_url}/metrics").text
    done = subprocess.run(
        [tools() / "promtool", "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def do_everything(server):
    with server.client() as client, server.client("vic", roles=["viewer"]) as viewer:
        for _ in range(3):
            for name in ("Quick", "Fails"):
                client.post(f"/api/runbooks/{name}.md")
            viewer.post("/api/runbooks/Sre.md/execute")
        for _ in range(45):  # the rate limit is 40
            client.get("/api/runs")


def filled(query):
    for name, value in {
        "$__rate_interval": "1m",
        "$__range": "1h",
        "$job": "runbook",
        "$instance": ".*",
    }.items():
        query = query.replace(name, value)
    assert "$" not in query
    return query


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_returns_data(prometheus, name):
    result = prometheus.query(filled(QUERIES[name]))
    assert result
    for series in result:
        value = float(series["value"][1])
        assert value >= 0, "not a number"


@pytest.mark.parametrize("name", ["job", "instance"])
def test_a_variable_has_values(prometheus, name):
    selector, label = re.fullmatch(
        r"label_values\((.*), (\w+)\)", VARIABLES[name]["query"]["query"]
    ).groups()
    assert label == name
    assert all(series["metric"][label] for series in prometheus.query(filled(selector)))


def test_the_queries_name_what_their_legends_show():
    for panel in PANELS:
        for target in panel["targets"]:
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert label in target["expr"] or "by (" not in target["expr"]


@pytest.mark.parametrize("dashboard", [DASHBOARD, LOGS], ids=["metrics", "logs"])
def test_panels_are_complete_and_do_not_overlap(dashboard):
    taken = set()
    identities = [panel["id"] for panel in dashboard["panels"]]
    assert len(identities) == len(set(identities))
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_the_dashboards_choose_their_data_source():
    """So that they can be imported into any Grafana."""
    provisioned = yaml.safe_load((GRAFANA / "provisioning/datasources/runbook.yml").read_text())
    kinds = {one["type"] for one in provisioned["datasources"]}
    for dashboard, variable in ((DASHBOARD, "datasource"), (LOGS, "loki")):
        chosen = {one["name"]: one for one in dashboard["templating"]["list"]}[variable]
        assert chosen["type"] == "datasource"
        assert chosen["query"] in kinds
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                assert target["datasource"]["uid"] == f"${{{variable}}}"
