"""Each route's permission: a golden table, so that a change of it is seen."""

import pytest
from prometheus_client import CollectorRegistry

from runbook.api.app import create_app
from runbook.api.context import Application
from runbook.api.openapi.document import document
from runbook.api.routing import policy_of
from runbook.core.permissions import (
    SCRIPT_PERMISSIONS,
    STANDARD_ROLES,
    Permission,
    RolePermissions,
)
from runbook.settings import Settings

ANYONE = "anyone"
TABLE = """
GET   /                                            anyone
GET   /<page:path>                                 anyone
GET   /api/audit                                   audit.read
GET   /api/config                                  config.read
GET   /api/connection-kinds                        connection.read
GET   /api/connections                             connection.read
POST  /api/connections                             connection.write
DELETE /api/connections/<connection>               connection.write
GET   /api/connections/<connection>                connection.read
PATCH /api/connections/<connection>                connection.write
POST  /api/connections/<connection>/check          connection.read
POST  /api/connections/<connection>/retrust        connection.write
GET   /api/inventory                               inventory.read
DELETE /api/inventory/<device>                     inventory.write
GET   /api/inventory/<device>                      inventory.read
PATCH /api/inventory/<device>                      inventory.write
PUT   /api/inventory/<device>                      inventory.write
GET   /api/inventory/<device>/runbooks             inventory.read
GET   /api/inventory/<device>/backups              inventory.read
GET   /api/inventory/<device>/blame                inventory.read
GET   /api/inventory/<device>/diff                 inventory.read
GET   /api/inventory-export                        inventory.read
GET   /api/inventory-filters                       inventory.read
POST  /api/inventory-import                        inventory.write
GET   /api/public                                  anyone
GET   /api/runbooks                                runbook.list
GET   /api/runbooks/<ref:ref>                      runbook.read
PATCH /api/runbooks/<ref:ref>                      runbook.validate
POST  /api/runbooks/<ref:ref>                      runbook.execute
POST  /api/runbooks/<ref:ref>/choices/<path>       runbook.validate
POST  /api/runbooks/<ref:ref>/execute              runbook.execute
GET   /api/runbooks/<ref:ref>/history              runbook.history
GET   /api/runbooks/<ref:ref>/history/<int:n>      runbook.history
GET   /api/runbooks/<ref:ref>/inputs               runbook.read
GET   /api/runbooks/<ref:ref>/locks                runbook.validate
GET   /api/runbooks/<ref:ref>/required-env         runbook.read
PATCH /api/runbooks/<ref:ref>/validate             runbook.validate
GET   /api/runs                                    run.read
GET   /api/runs/<run_id>                           run.read
GET   /api/runs/<run_id>/artifacts                 run.read
GET   /api/runs/<run_id>/artifacts/<path:artifact> run.read
POST  /api/runs/<run_id>/cancel                    run.cancel
POST  /api/runs/<run_id>/continue                  run.cancel
GET   /api/runs/<run_id>/devices                   run.read
GET   /api/runs/<run_id>/devices.csv               run.read
POST  /api/runs/<run_id>/fanouts                   runbook.execute
POST  /api/runs/<run_id>/fanouts/<int:n>/advance   runbook.execute
POST  /api/runs/<run_id>/pause                     run.cancel
GET   /api/runs/<run_id>/document                  run.read
GET   /api/runs/<run_id>/events                    run.read
GET   /api/runs/<run_id>/log                       run.read
POST  /api/runs/<run_id>/resume                    run.rerun
POST  /api/runs/<run_id>/retry                     run.rerun
GET   /api/runs/<run_id>/undo                      run.read
POST  /api/runs/<run_id>/undo                      run.rerun
GET   /api/runs/changes                            run.read
POST  /api/shutdown                                server.shutdown
GET   /api/status                                  server.read
GET   /api/toolkits                                toolkit.read
POST  /api/toolkits                                toolkit.write
DELETE /api/toolkits/<slug>                        toolkit.write
GET   /api/toolkits/<slug>                         toolkit.read
PATCH /api/toolkits/<slug>                         toolkit.write
POST  /api/toolkits/<slug>/install                 toolkit.write
GET   /api/toolkits/<slug>/readme                  toolkit.read
POST  /api/toolkits/<slug>/rollback                toolkit.write
POST  /api/toolkits/<slug>/update                  toolkit.write
POST  /api/toolkit-updates                         toolkit.write
GET   /auth/login                                  anyone
POST  /dev-login                                   anyone
GET   /docs/assets/<name>                          anyone
GET   /docs/explorer.html                          anyone
GET   /docs/explorer.js                            anyone
GET   /docs/openapi.yaml                           anyone
GET   /docs/problems                               anyone
GET   /livez                                       anyone
GET   /metrics                                     anyone
GET   /readyz                                      anyone
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("app"))
    settings = Settings.load({"RUNBOOKS_DIR": folder}, rate_limit_enabled=False)
    return create_app(Application(settings, None, None, None, CollectorRegistry()))


def routes(app):
    """Every method and path, with the policy of its view."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield method, rule.rule, policy_of(app.view_functions[rule.endpoint])


def test_every_route_says_which_permission_it_needs(app):
    assert all(policy is not None for _, _, policy in routes(app))


def test_each_route_needs_the_permission_of_the_table(app):
    found = {(method, path): policy.permission or ANYONE for method, path, policy in routes(app)}
    rows = (line.split() for line in TABLE.strip().splitlines())
    assert found == {(method, path): permission for method, path, permission in rows}


def test_everyone_with_a_token_may_do_all_but_what_admins_do(app):
    everyone = RolePermissions.parse(STANDARD_ROLES).grants(())
    refused = {
        (method, path)
        for method, path, policy in routes(app)
        if policy.permission and not everyone.allow(policy.permission)
    }
    assert {one for one in refused if not one[1].startswith("/api/toolkit")} == {
        ("GET", "/api/audit"),
        ("POST", "/api/connections"),
        ("PATCH", "/api/connections/<connection>"),
        ("DELETE", "/api/connections/<connection>"),
        ("POST", "/api/connections/<connection>/retrust"),
        ("PUT", "/api/inventory/<device>"),
        ("PATCH", "/api/inventory/<device>"),
        ("DELETE", "/api/inventory/<device>"),
        ("POST", "/api/inventory-import"),
        ("POST", "/api/shutdown"),
    }


def test_a_scripts_token_is_refused_where_it_always_was(app):
    refused = {
        f"{method} {path}"
        for method, path, policy in routes(app)
        if policy.permission and policy.permission not in SCRIPT_PERMISSIONS
    }
    assert refused == {
        "GET /api/audit",
        "GET /api/config",
        "GET /api/status",
        "GET /api/connection-kinds",
        "GET /api/connections",
        "POST /api/connections",
        "GET /api/connections/<connection>",
        "PATCH /api/connections/<connection>",
        "DELETE /api/connections/<connection>",
        "POST /api/connections/<connection>/retrust",
        "POST /api/connections/<connection>/check",
        "PUT /api/inventory/<device>",
        "PATCH /api/inventory/<device>",
        "DELETE /api/inventory/<device>",
        "POST /api/inventory-import",
        "POST /api/runs/<run_id>/cancel",
        "POST /api/runs/<run_id>/continue",
        "POST /api/runs/<run_id>/pause",
        "POST /api/runs/<run_id>/resume",
        "POST /api/runs/<run_id>/retry",
        "POST /api/runs/<run_id>/undo",
        "POST /api/shutdown",
        "GET /api/toolkits",
        "POST /api/toolkits",
        "DELETE /api/toolkits/<slug>",
        "GET /api/toolkits/<slug>",
        "PATCH /api/toolkits/<slug>",
        "POST /api/toolkits/<slug>/install",
        "GET /api/toolkits/<slug>/readme",
        "POST /api/toolkits/<slug>/rollback",
        "POST /api/toolkits/<slug>/update",
        "POST /api/toolkit-updates",
    }


def test_the_openapi_document_names_the_permission(app):
    paths = document(app.url_map, app.view_functions)["paths"]
    assert paths["/api/shutdown"]["post"]["x-permission"] == Permission.SERVER_SHUTDOWN
    assert "x-permission" not in paths["/livez"]["get"]
