"""A real engine over a real store and folder, without processes: runs are claimed by hand."""

import select
import textwrap
import threading
from dataclasses import dataclass

import pytest

from patience import wait_for_lost_runs
from runbook.bootstrap import build_engine
from runbook.core.access import Principal
from runbook.core.events import EventType
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.engine.process.run import Stop
from runbook.engine.requests import ExecuteRequest
from runbook.engine.wakeups import Role, Wakeups
from runbook.host.identity import process_identity
from runbook.settings import Settings
from runbook.store.models import Worker, WorkerKind

RUNBOOK = """\
# {name}

# Environment Requirements
```yaml
{inputs}
```

# File System Requirements
```yaml
Input:
```
{claims}
# Script
```zsh
{script}
```

# History
"""
STEPS = """\
# {name}

# Environment Requirements
```yaml
{inputs}
```

# File System Requirements
```yaml
Input:
```
{claims}
# Policy
```yaml
{policy}
```

# Script

{steps}
# History
"""
CLAIMS = """
# Required Claims
```yaml
{}
```
"""
ANN = Principal("ann", Origin.API, {"roles": ["sre"]}, "192.0.2.1", grants=ALL_GRANTS)


@dataclass
class Workshop:
    """Short words for what nearly every test does."""

    engine: object
    settings: Settings

    @property
    def store(self):
        return self.engine.store

    def write(self, name, script="true", *, inputs="", claims=""):
        text = RUNBOOK.format(
            name=name,
            inputs=inputs,
            script=textwrap.dedent(script).strip(),
            claims=CLAIMS.format(claims) if claims else "",
        )
        path = self.settings.runbooks_dir / f"{name}.md"
        path.write_text(text)
        return path

    def write_steps(self, name, *steps, policy="{}", inputs="", claims=""):
        """A runbook with a Policy and steps, each as `step` writes it."""
        text = STEPS.format(
            name=name,
            inputs=inputs,
            policy=policy,
            claims=CLAIMS.format(claims) if claims else "",
            steps="\n".join(steps),
        )
        path = self.settings.runbooks_dir / f"{name}.md"
        path.write_text(text)
        return path

    def submit(self, ref, principal=ANN, **request):
        return self.engine.submit(ref, principal, ExecuteRequest(**request)).run

    def register(self, worker_id="w", **changes):
        now = self.engine.parts.clock()
        values = {
            "kind": WorkerKind.LOCAL,
            "slots": 8,
            "started_at": now,
            "beat_at": now,
            **process_identity(),
            **changes,
        }
        self.store.workers.register(Worker(id=worker_id, **values))
        return worker_id

    def claim(self, worker_id="w"):
        return self.store.runs.claim(worker_id, root_slots=8)

    def execute(self, worker_id="w"):
        """Claim the oldest run and execute it in this thread, to its end."""
        claimed = self.claim(worker_id)
        self.engine.execute(claimed, worker_id, Stop())
        return self.store.runs.get(claimed.run.id)

    def events(self, run):
        return self.store.events.after(run.id)

    def output(self, run, stream=EventType.STDOUT):
        return "".join(event.text for event in self.events(run) if event.type is stream)

    def data(self, run, type_):
        """What the run's events of one type say."""
        return [event.data for event in self.events(run) if event.type is type_]

    def execute_family(self, stop=None):
        """Execute the oldest run in a thread, and meanwhile here the runs that belong to it."""
        wakeups = Wakeups(self.settings.data_dir / "wake", Role.WORKER)
        woken = wakeups.open()
        claimed = self.claim()
        arguments = (claimed, "w", stop or Stop())
        thread = threading.Thread(target=self.engine.execute, args=arguments)
        thread.start()
        try:
            while thread.is_alive():
                select.select([woken], [], [], 0.05)
                wakeups.drain()
                while (child := self.claim()) is not None:
                    self.engine.execute(child, "w", Stop())
        finally:
            thread.join()
            wakeups.close()
        return self.store.runs.get(claimed.run.id)

    def history(self, name):
        text = (self.settings.runbooks_dir / f"{name}.md").read_text()
        return text.partition("# History")[2]


def step_text(name, script="true", *, options="", undo=""):
    """A step of a runbook in Markdown."""
    parts = [f"## {name}"]
    if options:
        parts.append(f"```yaml\n{options}\n```")
    parts.append(f"```sh\n{textwrap.dedent(script).strip()}\n```")
    if undo:
        parts.append(f"### Undo\n```sh\n{undo}\n```")
    return "\n\n".join(parts) + "\n"


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    wait_for_lost_runs(monkeypatch)


@pytest.fixture
def step():
    return step_text


@pytest.fixture
def build(tmp_path):
    """Engines over one folder and database, as several processes have them."""
    for name in ("runbooks", "execution"):
        (tmp_path / name).mkdir()
    built = []

    def call(**environment):
        settings = Settings.load(
            {
                "RUNBOOKS_DIR": str(tmp_path / "runbooks"),
                "EXECUTION_DIR": str(tmp_path / "execution"),
                "DATA_DIR": str(tmp_path / "data"),
                "PATH": "/usr/bin:/bin",
                "ISOLATION": "process",
                **environment,
            }
        )
        engine = build_engine(settings, Role.FOLLOWER)
        engine.store.maintenance.migrate()
        built.append(engine)
        return Workshop(engine, settings)

    yield call
    for engine in built:
        engine.parts.wakeups.close()
        engine.store.close()


@pytest.fixture
def workshop(build):
    return build()
