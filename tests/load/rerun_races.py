"""Pairs of reruns and of cancellations of one run at the same moment: one of each pair wins.

`.venv/bin/python tests/load/rerun_races.py [--pairs N]` does it on SQLite and on a PostgreSQL that
it starts itself, each with two processes that share the database. It fails where a pair has no
winner or two.
"""

import argparse
import itertools
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from databases import Server
from runbook.bootstrap import build_engine
from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.engine.process.run import Stop
from runbook.engine.requests import ExecuteRequest
from runbook.engine.wakeups import Role
from runbook.errors import ConflictError
from runbook.settings import Settings
from runbook.store.models import AuditFilter

RUNBOOK = """# Charge

# Environment Requirements

```yaml
```

# File System Requirements

```yaml
Input:
```

# Script

## Reserve

```sh
true
```

### Undo

```sh
true
```

## Charge

```sh
false
```

# History
"""
ACTIONS = (*itertools.product(("resume", "undo"), repeat=2), ("cancel", "cancel"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1000)
    pairs = parser.parse_args().pairs
    os.environ.setdefault("PATH", os.defpath)
    with tempfile.TemporaryDirectory(prefix="races-") as folder:
        compete(Path(folder) / "sqlite", "", pairs)
    server = Server(Path(tempfile.mkdtemp(prefix="pg-races-")))
    try:
        server.start()
        with server.database() as url, tempfile.TemporaryDirectory(prefix="races-") as folder:
            compete(Path(folder) / "postgresql", url, pairs)
    finally:
        server.remove()


def engine_of(folder, url):
    environment = {
        "RUNBOOKS_DIR": str(folder / "runbooks"),
        "EXECUTION_DIR": str(folder / "execution"),
        "DATA_DIR": str(folder / "data"),
        "HISTORY": "store",
        "MAX_QUEUED_RUNS": "1000000",
        "PATH": os.environ["PATH"],
        **({"DATABASE_URL": url} if url else {}),
    }
    engine = build_engine(Settings.load(environment), Role.FOLLOWER)
    engine.open()
    return engine


def compete(folder, url, pairs):
    for name in ("runbooks", "execution"):
        (folder / name).mkdir(parents=True)
    (folder / "runbooks" / "Charge.md").write_text(RUNBOOK)
    engine = engine_of(folder, url)
    failed = failed_run(engine)
    begun = time.perf_counter()
    results = Counter()
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    ends = [context.Pipe() for _ in range(2)]
    others = [
        context.Process(target=rival, args=(folder, url, name, barrier, far))
        for name, (_, far) in zip(("ada", "bob"), ends, strict=True)
    ]
    for other in others:
        other.start()
    for number in range(pairs):
        actions = ACTIONS[number % len(ACTIONS)]
        run = again(engine, failed, active="cancel" in actions)
        for (near, _), action in zip(ends, actions, strict=True):
            near.send((action, run.id))
        answers = sorted(near.recv() for near, _ in ends)
        results[actions, outcome(engine, run, answers)] += 1
    for near, _ in ends:
        near.send(None)
    for other in others:
        other.join()
    engine.close()
    for (actions, result), count in sorted(results.items()):
        print(f"{folder.name}: {' + '.join(actions)}: {result}: {count}")
    print(f"{folder.name}: {pairs} pairs in {time.perf_counter() - begun:.1f} s")
    assert {result for _, result in results} == {"one winner"}, results


def failed_run(engine):
    """The only run whose script is started."""
    run = engine.submit("Charge.md", caller("eve"), ExecuteRequest()).run
    engine.execute(engine.store.runs.claim("w", root_slots=1), "w", Stop())
    return engine.store.runs.get(run.id)


def again(engine, failed, *, active):
    """A run like it: queued, or ended with the steps of the failed one."""
    run = engine.submit("Charge.md", caller("eve"), ExecuteRequest()).run
    if active:
        return run
    claimed = engine.store.runs.claim("w", root_slots=1, only=run.id)
    assert claimed.run.id == run.id
    steps = tuple(engine.store.steps.of(failed.id))
    engine.store.events.append(run.id, [], worker_id="w", steps=steps)
    engine.end_forgotten("w", ())
    return engine.store.runs.get(run.id)


def caller(name):
    return Principal(name, Origin.API, grants=ALL_GRANTS)


def rival(folder, url, name, barrier, orders):
    engine = engine_of(folder, url)
    while (order := orders.recv()) is not None:
        action, run_id = order
        run = engine.store.runs.get(run_id)
        barrier.wait()
        orders.send(attempt(engine, action, run, caller(name)))
    engine.close()


def attempt(engine, action, run, principal):
    if action == "cancel":
        return engine.cancel(run, principal).cancel.by
    try:
        return getattr(engine, action)(run, principal, ExecuteRequest()).run.id
    except ConflictError as error:
        (problem,) = error.details["problems"]
        return f"{problem.code} {problem.params.get('run_id')}"


def outcome(engine, run, answers):
    reruns = engine.store.runs.reruns(run.id)
    if run.status.terminal:
        expected = sorted(
            [f"already_rerun {one.id}" for one in reruns] + [one.id for one in reruns]
        )
        is_one = len(reruns) == 1 and answers == expected
    else:
        events = engine.store.audit.page(AuditFilter(target=run.id)).events
        is_one = len(set(answers)) == 1 and [event.subject for event in events] == [answers[0]]
    for one in (*reruns, run):
        engine.store.runs.request_cancel(one.id, "the test")
        claimed = engine.store.runs.claim("w", root_slots=1)
        if claimed is not None:
            engine.execute(claimed, "w", Stop())
    return "one winner" if is_one else f"{len(reruns)} reruns, {answers}"


if __name__ == "__main__":
    main()
