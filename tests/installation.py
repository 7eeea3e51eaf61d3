"""An installation of any size, and what it answers: the same in whichever database it lies."""

import json
import os
import random
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

from click.testing import CliRunner

from runbook.cli.app import cli
from runbook.core.audit import SYSTEM, AuditAction, NewAuditEvent, Target, TargetKind
from runbook.core.events import EventType
from runbook.core.outcome import Artifact, Outcome, StepRun
from runbook.core.run import (
    Origin,
    Relation,
    Requester,
    RerunOf,
    RunbookVersion,
    RunRequest,
    RunTree,
)
from runbook.core.run_files import RunFile, RunFiles, digest_of
from runbook.core.status import RunStatus, StepStatus
from runbook.store.models import (
    HistoryHead,
    IdempotencyKey,
    LogQuery,
    NewEvent,
    NewRun,
    RunFilter,
    StoredDocument,
    Visibility,
)
from runbook.store.store import Store

RUNBOOK = """\
# Report
# Environment Requirements
```yaml
WORD: A word.
```
# File System Requirements
```yaml
Input:
```
# Script
```sh
print "$WORD ün\\n$WORD deux"
print $WORD > $RUNBOOK_ARTIFACTS/report.txt
test $WORD != bad
```
# History
"""
ENDINGS = (RunStatus.SUCCEEDED, RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.TIMED_OUT)
WORDS = ("disk", "Straße", "naïve", "日本", "\u2028", "\x1b[31m", "100 %")
FIRST_AT = 1_760_000_000_000
PAGES = 3


class Installation:
    """A database with its RUNBOOKS_DIR and DATA_DIR in a folder."""

    def __init__(self, home, url):
        self.home = home
        self.url = url

    def beside(self, home, url):
        """Another one whose folders are copies, as one is told to make them."""
        shutil.copytree(self.home, home, ignore=shutil.ignore_patterns("*.db*", "execution"))
        (home / "execution").mkdir()
        return Installation(home, url)

    def prepare(self):
        for name in ("runbooks", "execution"):
            (self.home / name).mkdir(parents=True)
        (self.home / "runbooks" / "Report.md").write_text(RUNBOOK)
        return self

    def run(self, *words):
        """The exit code and output of a command in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "runbook", *words],
            env=os.environ | self._settings(),
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def said(self, *words):
        """What a command says in this process."""
        return CliRunner().invoke(cli, words, env=self._settings())

    def ask(self, *words):
        """The exit code of a command, and its answer."""
        done = self.said(*words, "--json")
        assert done.stdout, done.stderr
        return done.exit_code, json.loads(done.stdout)

    def _settings(self):
        folders = {"RUNBOOKS_DIR": "runbooks", "DATA_DIR": "data", "EXECUTION_DIR": "execution"}
        return {
            "DATABASE_URL": self.url,
            **{variable: str(self.home / name) for variable, name in folders.items()},
        }

    def store(self):
        return closing(Store(self.url))

    # -- filling -------------------------------------------------------------------------------

    def fill(self, count):
        """Some real runs, so many generated ones, and the last one of all purged."""
        for word in ("one", "bad"):
            self.run("execute", "--runbook", "Report.md", "--env", f"WORD={word}", "--quiet")
        _, page = self.ask("runs")
        self.run("retry", page["runs"][-1]["id"], "--quiet")
        with self.store() as store:
            Generator(store).make(count)
        return self

    # -- asking --------------------------------------------------------------------------------

    def answers(self):
        """What lists, logs, artifacts and verifications say."""
        with self.store() as store:
            return {
                **{f"list {n}": _pages(store, wanted) for n, wanted in enumerate(_filters())},
                **{f"run {run.id}": _details(store, run.id) for run in _sample(store)},
                "runbooks": store.runbooks.last_runs(),
                "activity": store.runs.activity().revision,
                "audit": store.audit.page(limit=200),
                "audit's chain": store.audit.verify(),
                **self._said(store),
            }

    def _said(self, store):
        real = _real_runs(store)[0].id
        commands = (
            ("verify", "Report.md", "--store"),
            ("verify", "--audit"),
            ("runs", "--status", "failed", "--limit", "30"),
            ("artifacts", real, "report.txt", "--into", str(self.home / "fetched")),
        )
        return {" ".join(words[:2]): self.ask(*words) for words in commands}

    def reruns(self):
        """What a retry of a real run comes to, and where that leaves the numbers and histories."""
        with self.store() as store:
            first = _real_runs(store)[-1]
        code, _ = self.run("retry", first.id, "--quiet")
        with self.store() as store:
            (again,) = store.runs.reruns(first.id)[-1:]
            return (
                code,
                again.seq,
                again.status,
                again.rerun_of.relation,
                store.logs.range(again.id, 0, 1000),
                store.artifacts.of(again.id),
                self.ask("verify", "Report.md", "--store"),
                store.audit.verify().ok,
            )


class Generator:
    """Runs with events, steps, artifacts, files, children, reruns, histories and audit events."""

    def __init__(self, store):
        self._store = store
        self._random = random.Random(9)
        self._heads = {}
        self._at = FIRST_AT

    def make(self, count):
        made = [self._run(number) for number in range(count)]
        now, self._at = self._at, -999  # no run ends before its creation
        gone = self._run(count, at=1)
        self._at = now
        self._store.maintenance.purge(2)
        assert self._store.runs.get(gone) is None
        return made

    def queued(self, run_id):
        document = StoredDocument("d" * 64, b"# A")
        run = self._new(0, run_id, "a.md", document)
        run = replace(run, status=RunStatus.QUEUED, assigned_to=None)
        self._store.runs.create(run, [self._event(EventType.QUEUED, data={})], document)

    def _run(self, number, at=None):
        self._at += 1000
        ref = f"team/{number % 40}.md"
        document = StoredDocument(digest_of(f"{ref} {number // 400}".encode()), ref.encode() * 50)
        run_id = f"{number:08x}-generated"
        self._store.runs.create(
            self._new(number, run_id, ref, document),
            [self._event(EventType.QUEUED, data={}), self._event(EventType.STARTED, data={})],
            document,
            idempotency=IdempotencyKey("ada", run_id, "x") if number % 9 == 0 else None,
            files=_files(number) if number % 7 == 0 else RunFiles(()),
            audit=_audit(run_id) if number % 3 == 0 else None,
        )
        self._print(run_id, self._random.randint(0, 12))
        self._end(run_id, ref, number, at)
        return run_id

    def _new(self, number, run_id, ref, document):
        is_rerun = number % 11 == 10
        return NewRun(
            id=run_id,
            runbook=RunbookVersion(ref, f"Runbook {number % 40}", document.digest),
            status=RunStatus.RUNNING,
            assigned_to="w",
            requester=Requester(f"user-{number % 5}", Origin.API, {"n": [1, 2.5, None]}, "::1"),
            correlation_id=f"c-{number}",
            tree=RunTree((ref,)),
            request=RunRequest(
                reason=self._random.choice(WORDS), inputs={"Z": "1", "A": None}, given=("Z",)
            ),
            created_at=self._at,
            rerun_of=RerunOf(Relation.RETRY, f"{number - 9:08x}-generated") if is_rerun else None,
        )

    def _print(self, run_id, count):
        lines = [f"{n} {self._random.choice(WORDS)} \0 {'x' * 60}\n" for n in range(count)]
        offset, events = 0, []
        for n, text in enumerate(lines, 1):
            events.append(self._event(EventType.STDOUT, text=text, line=n, offset=offset))
            offset += len(text.encode())
        if events:
            self._store.events.append(run_id, events, worker_id="w")

    def _end(self, run_id, ref, number, at):
        status = ENDINGS[number % len(ENDINGS)]
        outcome = Outcome(
            status,
            number % 3,
            outputs={"\u0000": number, "b": "é"},
            summary="# Done" if number % 4 == 0 else None,
            artifacts=(Artifact("a/ü.txt", 3, "0" * 64),) if number % 5 == 0 else (),
            steps=tuple(StepRun(n, f"Step {n}", StepStatus.SUCCEEDED, 1) for n in (1, 2)),
        )
        n = self._heads[ref] = self._heads.get(ref, 0) + 1
        self._store.runs.finish(
            run_id,
            outcome,
            [self._event(EventType.DONE, data={"status": status.value})],
            worker_id="w",
            durable=False,
            history=HistoryHead(n, digest_of(f"{ref} {n}".encode())),
            finished_at=at or self._at + 500,
        )

    def _event(self, kind, **values):
        return NewEvent(self._at, kind, **values)


def _files(number):
    contents = [f"file {number % 50}".encode(), bytes(range(256))]
    names = (f"conf {number % 3}", "\udcff")
    listed = [
        RunFile(name, 0o600, digest_of(content), len(content))
        for name, content in zip(names, contents, strict=True)
    ]
    return RunFiles(tuple(listed), {digest_of(content): content for content in contents})


def _audit(run_id):
    target = Target(TargetKind.RUN, run_id)
    return NewAuditEvent(SYSTEM, AuditAction.RUN_CANCEL, target, {"why": "é\0", "n": [1, 0.1]})


def _filters():
    return (
        RunFilter(),
        RunFilter(refs=frozenset({"team/3.md", "team/4.md", "Report.md"})),
        RunFilter(statuses=frozenset({RunStatus.FAILED, RunStatus.TIMED_OUT})),
        RunFilter(text="STRASSE"),
        RunFilter(text="naïve"),
        RunFilter(text="100 %", subject="user-2"),
        RunFilter(since=FIRST_AT + 20_000, until=FIRST_AT + 90_000),
        RunFilter(relation=Relation.RETRY),
        RunFilter(visible=Visibility(frozenset({"team/7.md"}), "user-1")),
        RunFilter(active=True),
    )


def _pages(store, wanted):
    pages, cursor = [], None
    for _ in range(PAGES):
        page = store.runs.page(wanted, cursor, 25)
        pages.append(page.runs)
        cursor = page.next_cursor
        if cursor is None:
            break
    return pages


def _sample(store):
    """The real runs, and some of the others."""
    return [*store.runs.page(limit=50).runs[::7], *_real_runs(store)]


def _real_runs(store):
    """Newest first."""
    return store.runs.page(RunFilter(refs=frozenset({"Report.md"}))).runs


def _details(store, run_id):
    return (
        store.runs.get(run_id),
        store.runs.summary(run_id),
        store.runs.reruns(run_id),
        store.events.after(run_id),
        store.steps.of(run_id),
        store.artifacts.of(run_id),
        store.blobs.files_of(run_id),
        [store.logs.range(run_id, *span) for span in ((0, 10_000), (3, 7), (50, 100))],
        store.logs.lines(run_id, 2, 3),
        *[
            (list(found), found.count)
            for query in (LogQuery("straSSe"), LogQuery("^[0-3] .*x$", is_pattern=True))
            for found in [store.logs.search(run_id, query)]
        ],
    )
