"""The link of an alert, as Prometheus writes it, opens a form that can be executed at once."""

import re
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect

from integration.conftest import Beside

RULES = Path(__file__).parents[2] / "docker/monitoring/alerts.yml"
REF = "team one/Über+50%.md"


@pytest.fixture
def own_server(integration, tmp_path):
    with integration.running(tmp_path) as server:
        for action in ("install", "enable"):
            done = Beside(server).run("toolkit", action, "health")
            assert done.returncode == 0, done.stderr
        yield server


def link(alert):
    """What Prometheus makes of the annotation: Go's urlquery writes a space as a plus sign."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    (rule,) = [rule for group in groups for rule in group["rules"] if rule.get("alert") == alert]
    url = rule["annotations"]["runbook_url"].replace("{{ $externalLabels.runbook_web }}", "")
    escaped = "team+one%2F%C3%9Cber%2B50%25.md"
    url = url.replace("{{ urlquery $labels.runbook }}", escaped)
    assert "{{" not in url
    return url


def test_the_link_of_an_alert_opens_the_filled_in_form(own_server, open_page, sign_in):
    page = sign_in(open_page(link("RunbookRefused"), at=own_server))
    expect(page.locator("#input-RUNBOOK")).to_have_value(REF)
    expect(page.locator("#input-ALERT")).to_have_value("RunbookRefused")

    page.get_by_role("button", name="Execute", exact=True).click()

    expect(page).to_have_url(re.compile("/run/"))
    expect(
        page.get_by_text("Callers try to run a runbook without the required claims.").first
    ).to_be_visible()
