"""librouteros is under the GPL: only a runbook's own process may load it, never the engine's."""

import subprocess
import sys

# An engine with a connection of the kind, whose check and run have processes of their own.
SCRIPT = """
import pkgutil, sys
import runbook.api.app, runbook.cli.app, runbook.worker.local
from runbook.bootstrap import build_engine
from runbook.cli.app import cli
from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.engine.connections.connections import NewConnection
from runbook.engine.wakeups import Role
from runbook.settings import Settings

folder = sys.argv[1]
environment = {"DATA_DIR": folder, "RUNBOOKS_DIR": folder, "PATH": "/bin"}
engine = build_engine(Settings.load(environment), Role.FOLLOWER)
engine.store.maintenance.migrate()
who = Principal("ann", Origin.API, {}, grants=ALL_GRANTS)
values = {"host": "127.0.0.1", "port": 9, "username": "x", "password": "secret"}
engine.connections.add(NewConnection("lab", "routeros", values), who)
print(engine.connections.check("lab", who).code, engine.connections.retrust("lab", who).code)
print(sorted({"librouteros", "paramiko"} & set(sys.modules)))
"""


def test_the_engines_own_processes_never_load_it(tmp_path):
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=True
    )
    said, loaded = found.stdout.splitlines()
    # It was asked, elsewhere.
    assert (said, loaded) == ("refused refused", "[]")
