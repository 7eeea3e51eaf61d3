"""Typed calls with the client that openapi-python-client generates. Prints what came back."""

import json
import sys

from runbook_client import AuthenticatedClient, Client
from runbook_client.api.runbooks import (
    execute_runbook,
    execute_runbook_as_json,
    get_inputs,
    get_runbook,
    list_runbooks,
    validate_runbook,
)
from runbook_client.api.runs import (
    cancel_run,
    follow_run,
    get_run,
    get_run_log,
    list_runs,
    retry_run,
)
from runbook_client.api.session import log_in
from runbook_client.models import (
    Accepted,
    Done,
    InputSchema,
    Login,
    LoginBody,
    Report,
    Run,
    RunBody,
    RunBodyEnvVarsType0,
    RunbookContent,
    RunbookList,
    RunPage,
    RunStatus,
    WholeRun,
)


def typed(kind, value):
    assert isinstance(value, kind), (kind, value)
    return value


def main(url):
    body = LoginBody(subject="ann", roles=["sre"])
    login = typed(Login, log_in.sync(client=Client(url), body=body))
    json_wanted = {"Accept": "application/json"}  # otherwise, execute streams events
    client = AuthenticatedClient(url, login.access_token, headers=json_wanted)

    listed = typed(RunbookList, list_runbooks.sync(client=client))
    ref = listed.runbooks[0].path
    typed(RunbookContent, get_runbook.sync(ref, client=client))
    inputs = typed(InputSchema, get_inputs.sync(ref, client=client))
    report = typed(Report, validate_runbook.sync(ref, client=client))
    values = RunBodyEnvVarsType0.from_dict({"WHO": "typed"})
    done = typed(
        Done, execute_runbook.sync(ref, client=client, body=RunBody(env_vars=values, reason="x"))
    )
    bare = typed(Done, execute_runbook_as_json.sync(ref, client=client))
    accepted = typed(Accepted, execute_runbook.sync(ref, client=client, prefer="respond-async"))
    run = typed(WholeRun, get_run.sync(done.run_id, client=client))
    log = typed(str, get_run_log.sync(done.run_id, client=client))
    retried = typed(Done, retry_run.sync(done.run_id, client=client))
    typed(Run, cancel_run.sync(done.run_id, client=client))
    events = typed(str, follow_run.sync(done.run_id, client=client))
    assert events.rpartition("event: ")[2].startswith("done\n")
    page = typed(RunPage, list_runs.sync(client=client, limit=5, status="succeeded"))

    print(
        json.dumps(
            {
                "inputs": list(inputs.properties.to_dict()),
                "valid": report.success,
                "output": done.stdout,
                "bare": bare.stdout,
                "accepted": bool(accepted.run_id),
                "status": typed(RunStatus, run.status).value,
                "log": log,
                "retried": retried.stdout,
                "listed": done.run_id in [one.id for one in page.runs],
            }
        )
    )


main(sys.argv[1])
