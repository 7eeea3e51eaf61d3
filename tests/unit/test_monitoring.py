"""The alerts, the dashboard, the runbook Diagnose and the documents name the same things."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from runbook.api.app import create_app
from runbook.api.context import Application
from runbook.bootstrap import build_authenticator, build_engine
from runbook.core.language.parse import parse
from runbook.engine.wakeups import Role
from runbook.metrics import QueueCollector, RunMetrics
from runbook.settings import Settings

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "docker/monitoring"
GROUPS = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
DASHBOARD = json.loads((MONITORING / "grafana/dashboards/runbook.json").read_text())
METRIC = re.compile(r"\b(?:runbook|flask)_[a-z_]+\b")


@pytest.fixture(scope="module")
def metrics(tmp_path_factory):
    """The names of all samples that a server can have."""
    folder = tmp_path_factory.mktemp("metrics")
    environment = {"DATA_DIR": str(folder / "data"), "RUNBOOKS_DIR": str(folder)}
    settings = Settings.load(environment, rate_limit_enabled=False)
    engine, registry = build_engine(settings, Role.FOLLOWER), CollectorRegistry()
    engine.open()
    RunMetrics(registry)
    create_app(Application(settings, engine, build_authenticator(settings), None, registry))
    registry.register(QueueCollector(engine))
    kinds = {family.name: family.type for family in registry.collect()}
    engine.close()
    endings = {
        "counter": ("_total",),
        "histogram": ("_bucket", "_count", "_sum"),
    }
    return {name + ending for name, kind in kinds.items() for ending in endings.get(kind, ("",))}


def test_every_metric_of_an_alert_exists(metrics):
    for rule in RULES:
        used = set(METRIC.findall(rule["expr"]))
        assert used <= metrics, rule


def test_every_metric_of_the_dashboard_exists(metrics):
    queries = [
        target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())
    ]
    queries += [one["definition"] for one in DASHBOARD["templating"]["list"] if "definition" in one]
    assert len(queries) > 20
    assert set(METRIC.findall(" ".join(queries))) <= metrics


def test_every_metric_of_the_documents_exists(metrics):
    text = (ROOT / "docs/operations.md").read_text().partition("## Monitoring")[2]
    text = text.partition("\n## ")[0]
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in metrics}
    assert set(METRIC.findall(text)) <= metrics | families


def test_the_guide_lists_the_alerts_with_their_severities():
    table = (ROOT / "docs/sre.md").read_text().partition("### Alerts")[2].partition("\n### ")[0]
    listed = {
        (name, severity)
        for name, severities in re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", table, re.MULTILINE)
        for severity in severities.split(", ")
    }
    assert listed == {(rule["alert"], rule["labels"]["severity"]) for rule in ALERTS}


def test_the_runbook_explains_every_alert_and_takes_what_the_links_give():
    source = (ROOT / "runbooks/health/Diagnose.md").read_bytes()
    declared = {one.name: one for one in parse(source).runbook.inputs}
    names = {rule["alert"] for rule in ALERTS}
    assert set(declared["ALERT"].choices) == names
    assert set(re.findall(r'^    "(\w+)": Guide\(', source.decode(), re.MULTILINE)) == names
    for rule in ALERTS:
        link = rule["annotations"]["runbook_url"]
        assert f"/execute/health/Diagnose.md?env.ALERT={rule['alert']}" in link
        assert set(re.findall(r"env\.(\w+)=", link)) <= declared.keys()
