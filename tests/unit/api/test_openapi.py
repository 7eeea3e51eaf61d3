"""The OpenAPI document, as generators of clients read it."""

import jsonschema_rs
import pytest

from runbook.api.openapi.document import document
from runbook.api.openapi.examples import EXAMPLES

# Generated clients call operations by these names: a changed one breaks them.
OPERATIONS = """
addConnection advanceFanout blameDevice cancelRun changeConnection changeDevice changeToolkit
checkConnection checkForUpdates checkLiveness checkReadiness compareBackups continueRun
executeRunbook executeRunbookAsJson exportDevices exportRunDevices findChoices followChanges
followRun getArtifact getConfig getConnection getDevice getHistoryEntry getInputs getMetrics
getPublicInfo getRequiredEnv getRun getRunDocument getRunLog getRunbook getStatus getToolkit
getToolkitReadme importDevices installToolkit listArtifacts listAuditEvents listBackups
listConnectionKinds listConnections listDeviceFilters listDeviceRunbooks listDevices
listHistoryEntries listLocks listRunDevices listRunbooks listRuns listToolkits logIn pauseRun
planFanout previewUndo putDevice removeConnection removeDevice removeToolkit resumeRun
retrustConnection retryRun rollBackToolkit shutDown undoRun updateToolkit uploadToolkit
validateRunbook validateRunbookShort
"""


@pytest.fixture(scope="module")
def found(app):
    return document(app.url_map, app.view_functions)


@pytest.fixture(scope="module")
def operations(found):
    every = (methods[name] for methods in found["paths"].values() for name in methods)
    return {operation["operationId"]: operation for operation in every}


def test_the_operations_keep_their_names(operations):
    assert sorted(operations) == sorted(OPERATIONS.split())


def test_every_operation_is_described(found, operations):
    tags = {tag["name"] for tag in found["tags"]}
    for name, operation in operations.items():
        assert operation["summary"], name
        assert operation["description"], name
        assert len(operation["tags"]) == 1
        assert set(operation["tags"]) <= tags
        for reply in operation["responses"].values():
            assert "X-Correlation-Id" in reply["headers"]
            for header in reply["headers"]:
                assert header in found["components"]["headers"]


def test_the_first_media_type_of_a_json_reply_is_json(operations):
    """Generators take the first one."""
    for name, operation in operations.items():
        media = list(operation["responses"]["200"].get("content", ()))
        if "application/json" in media and name != "getRunLog":
            assert media[0] == "application/json", name
    assert list(operations["executeRunbookAsJson"]["responses"]["200"]["content"]) == [
        "application/json"
    ]


@pytest.mark.parametrize("name", ["executeRunbook", "retryRun", "resumeRun", "undoRun"])
def test_what_starts_a_run_is_typed(operations, name):
    replies = operations[name]["responses"]
    schemas = {
        status: replies[status]["content"]["application/json"]["schema"]
        for status in ("200", "202")
    }
    assert schemas["200"] == {"$ref": "#/components/schemas/Done"}
    assert schemas["202"] == {"$ref": "#/components/schemas/Accepted"}
    assert {"X-Run-Id", "Location"} <= set(replies["202"]["headers"])


WITH_A_BODY = {"addConnection", "importDevices", "planFanout"}


def test_most_bodies_are_optional_and_have_no_required_members(found, operations):
    for name, operation in operations.items():
        if "application/json" in operation.get("requestBody", {}).get("content", ()):
            assert operation["requestBody"]["required"] is (name in WITH_A_BODY)
            (content,) = operation["requestBody"]["content"].values()
            schema = found["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
            assert ("required" in schema) is (name in WITH_A_BODY)
            assert schema["additionalProperties"] is False
            assert "'default':" not in str(schema)  # TypeScript clients would require the member


@pytest.mark.parametrize("name", [name for name in EXAMPLES if not name.endswith("Stream")])
def test_an_example_is_valid(found, name):
    schema = {"$ref": f"#/components/schemas/{name}", "components": found["components"]}
    jsonschema_rs.validator_for(schema).validate(EXAMPLES[name])
