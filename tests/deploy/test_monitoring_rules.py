"""When alerts fire: promtool runs our rules over made-up samples, 30 seconds apart."""

import subprocess
from dataclasses import dataclass

import pytest
import yaml

from deploy.prometheus import MONITORING, alerts, rules, tools

TARGET = 'job="runbook",instance="a:8083"'
UP = {f"up{{{TARGET}}}": "1x400"}


def on_target(name, labels=""):
    return f"{name}{{{TARGET}{labels and ','}{labels}}}"


def http(status, path="/api/runs"):
    labels = f'method="GET",status="{status}",path="{path}"'
    return on_target("flask_http_request_duration_seconds_count", labels)


def requests(status):
    return on_target("flask_http_request_total", f'method="GET",status="{status}"')


def bucket(le, path="/api/runs"):
    labels = f'method="GET",status="200",path="{path}",le="{le}"'
    return on_target("flask_http_request_duration_seconds_bucket", labels)


def runs(status):
    return on_target("runbook_runs_total", f'runbook="A.md",status="{status}"')


def disk(free):
    return {
        on_target("runbook_disk_free_bytes", 'folder="data"'): free,
        on_target("runbook_disk_size_bytes", 'folder="data"'): "1000x400",
    }


@dataclass
class Case:
    """Series by what promtool calls their values; when the alert is quiet, and when it fires."""

    alert: str
    series: dict
    quiet: tuple = ()
    fires: tuple = ()
    count: int = 1


EXECUTE = "/api/runbooks/<ref:ref>/execute"
CASES = {
    "down": Case("RunbookDown", {on_target("up"): "1x9 0x40"}, ("4m", "6m"), ("8m",)),
    "no target": Case("RunbookDown", {"other": "1x40"}, ("1m",), ("3m",)),
    "store": Case(
        "RunbookStoreDown", {on_target("runbook_store_up"): "1x9 0x40"}, ("5m30s",), ("7m",)
    ),
    "draining for a minute": Case(
        "RunbookNotAccepting",
        {on_target("runbook_workers_accepting"): "1x9 0x2 1x40"},
        ("6m", "7m", "10m"),
    ),
    "nobody accepts": Case(
        "RunbookNotAccepting",
        {on_target("runbook_workers_accepting"): "1x9 0x40"},
        ("6m",),
        ("8m",),
    ),
    "one of two accepts": Case(
        "RunbookNotAccepting",
        {
            on_target("runbook_workers_accepting"): "0x40",
            'runbook_workers_accepting{job="runbook",instance="b:8083"}': "1x40",
        },
        ("15m",),
    ),
    "silent": Case(
        "RunbookHeartbeatMissed",
        {on_target("runbook_worker_heartbeat_age_seconds"): "1x9 16+30x40"},
        ("5m",),
        ("6m",),
    ),
    "errors": Case(
        "RunbookErrorRate",
        {**UP, http(200): "0+9x400", http(500): "0+1x400"},
        ("4m",),
        ("12m",),
    ),
    "few errors": Case(
        "RunbookErrorRate", {**UP, http(200): "0+99x400", http(500): "0+4x400"}, ("30m",)
    ),
    "a single error among few requests": Case(
        "RunbookErrorRate", {**UP, http(200): "0+0x400", http(500): "0x20 1x380"}, ("12m", "15m")
    ),
    "errors of a health check": Case(
        "RunbookErrorRate", {**UP, http(503, "/readyz"): "0+9x400"}, ("30m",)
    ),
    "errors that are new": Case(
        "RunbookErrorRate", {**UP, http(503): "_x30 50x400"}, ("15m", "25m"), ("18m",)
    ),
    "slow": Case(
        "RunbookSlow",
        {bucket("1.0"): "0+1x400", bucket("5.0"): "0+9x400", bucket("+Inf"): "0+9x400"},
        ("4m",),
        ("16m",),
    ),
    "waiting for a run": Case(
        "RunbookSlow",
        {bucket("1.0", EXECUTE): "0+0x400", bucket("+Inf", EXECUTE): "0+9x400"},
        ("30m",),
    ),
    "rate limits": Case(
        "RunbookRateLimited", {**UP, requests(429): "0x40 0+2x400"}, ("19m",), ("30m",)
    ),
    "a caller that waits": Case(
        "RunbookRateLimited", {**UP, requests(429): "0x40 1x400"}, ("21m", "30m")
    ),
    "guessed tokens": Case(
        "RunbookTokensRefused", {**UP, requests(401): "0x40 0+5x400"}, ("19m",), ("30m",)
    ),
    "tokens that expired": Case(
        "RunbookTokensRefused", {**UP, requests(401): "0x40 20x400"}, ("21m", "30m")
    ),
    "refused": Case(
        "RunbookRefused",
        {**UP, on_target("runbook_runs_refused_total", 'runbook="A.md"'): "_x40 5x400"},
        ("19m",),
        ("21m", "30m"),
    ),
    "refused long ago": Case(
        "RunbookRefused",
        {**UP, on_target("runbook_runs_refused_total", 'runbook="A.md"'): "_x40 5x400"},
        ("40m",),
    ),
    "refused before Prometheus knew the server": Case(
        "RunbookRefused",
        {**UP, on_target("runbook_runs_refused_total", 'runbook="A.md"'): "500x400"},
        ("1m", "10m", "20m"),
    ),
    "lost": Case(
        "RunbookRunsLost",
        {on_target("runbook_last_lost_run_timestamp_seconds"): "0x60 1800x400"},
        ("29m", "50m"),
        ("31m", "44m"),
    ),
    "never lost": Case(
        "RunbookRunsLost",
        {on_target("runbook_last_lost_run_timestamp_seconds"): "0x400"},
        ("20m", "60m"),
    ),
    "failing": Case(
        "RunbookRunsFailing",
        {**UP, runs("failed"): "_x130 4x400", runs("succeeded"): "0x400"},
        ("64m",),
        ("66m",),
    ),
    "failing now and then": Case(
        "RunbookRunsFailing",
        {**UP, runs("timed_out"): "_x130 4x400", runs("succeeded"): "_x130 6x400"},
        ("66m",),
    ),
    "an old queue": Case(
        "RunbookQueueOld",
        {on_target("runbook_queue_oldest_age_seconds"): "0+30x40"},
        ("6m",),
        ("8m",),
    ),
    "a disk": Case("RunbookDiskLow", disk("200x9 90x40"), ("4m", "7m"), ("12m",)),
    "a full disk": Case("RunbookDiskLow", disk("200x9 20x40"), ("5m",), ("12m",), count=2),
    "damage": Case(
        "RunbookRecordsDamaged",
        {on_target("runbook_runs_quarantined_total"): "0x20 1x400"},
        ("9m", "80m"),
        ("12m",),
    ),
}


def test_every_alert_has_a_case_that_fires():
    assert {case.alert for case in CASES.values() if case.fires} == alerts().keys()


@pytest.mark.parametrize("name", CASES)
def test_an_alert_fires_when_it_should(name, tmp_path):
    case = CASES[name]
    expression = f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"}})'
    firing = [{"labels": "{}", "value": case.count}]
    moments = [(at, []) for at in case.quiet] + [(at, firing) for at in case.fires]
    test = {
        "interval": "30s",
        "input_series": [{"series": one, "values": how} for one, how in case.series.items()],
        "promql_expr_test": [
            {"expr": expression, "eval_time": at, "exp_samples": expected}
            for at, expected in moments
        ],
    }
    (tmp_path / "alerts.yml").write_text(rules())
    whole = {"rule_files": ["alerts.yml"], "evaluation_interval": "30s", "tests": [test]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(whole))

    done = subprocess.run(
        [tools() / "promtool", "test", "rules", tmp_path / "test.yml"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert moments
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_configuration_and_its_rules():
    for what in ("config", "rules"):
        file = MONITORING / {"config": "prometheus.yml", "rules": "alerts.yml"}[what]
        subprocess.run([tools() / "promtool", "check", what, file], capture_output=True, check=True)
