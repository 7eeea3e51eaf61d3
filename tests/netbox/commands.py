"""The toolkits' runbooks, executed by `runbook execute` with connections in a folder."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from patience import PATIENCE_S

TOOLKITS = Path(__file__).parents[2] / "runbooks"


@dataclass(frozen=True)
class Done:
    code: int
    events: list
    stderr: str

    @property
    def end(self):
        return self.events[-1]

    @property
    def run(self):
        return next(one["run_id"] for one in self.events if "run_id" in one)

    @property
    def outputs(self):
        return self.end["outputs"]

    @property
    def text(self):
        return "".join(one["text"] for one in self.events if one["type"] in ("stdout", "stderr"))

    @property
    def printed(self):
        return "".join(one["text"] for one in self.events if one["type"] == "stdout")

    @property
    def plan(self):
        return [one["text"] for one in self.events if one["type"] == "plan" and "text" in one]


class Toolkits:
    """Copies of some toolkits, and what their runs need, in a folder."""

    def __init__(self, folder, *slugs):
        self.folder = folder
        for slug in slugs:
            shutil.copytree(TOOLKITS / slug, folder / "runbooks" / slug)
        self.connections = folder / "connections"
        self.connections.mkdir(mode=0o700)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
            "RUNBOOKS_DIR": str(folder / "runbooks"),
            "DATA_DIR": str(folder / "data"),
            "CONNECTIONS_DIR": str(self.connections),
        }

    def connect(self, name, kind, **values):
        """Keep a connection; JSON is YAML."""
        path = self.connections / f"{name}.yaml"
        path.write_text(json.dumps({"kind": kind, "values": values}))
        path.chmod(0o600)

    def start(self, *arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "runbook", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start_execute(self, ref, *options, **inputs):
        given = [word for name, value in inputs.items() for word in ("--env", f"{name}={value}")]
        return self.start("execute", "--json", "--runbook", ref, *given, *options)

    def execute(self, ref, *options, **inputs):
        return ended(self.start_execute(ref, *options, **inputs))

    def rerun(self, how, run, *options):
        return ended(self.start(how, run, "--json", *options))

    def runs(self):
        with self.start("runs", "--json") as process:
            stdout, _ = process.communicate(timeout=4 * PATIENCE_S)
        return json.loads(stdout)["runs"]


def ended(started):
    """What a process said, once it has ended."""
    with started as process:
        stdout, stderr = process.communicate(timeout=4 * PATIENCE_S)
    return Done(process.returncode, [json.loads(line) for line in stdout.splitlines()], stderr)
