"""Clients of the server: they submit, follow, cancel and rerun, also at the same moment."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from integration.conftest import Server
from patience import PATIENCE_S
from torture.watch import Watch

ANSWER_S = 10
TRIES = 5
AFTER_NO_ANSWER_S = 0.2
LOCKS = ("a", "b", "c")
REFS = {
    "Quick.md": 4,
    "Noisy.md": 2,
    "Slow.md": 2,
    "Stubborn.md": 1,
    "Locked.md": 4,
    "Impatient.md": 1,
    "Steps.md": 6,
    "Reverts.md": 1,
    "Calls.md": 2,
    "Leaves.md": 2,
}
WITH_LOCK = ("Stubborn.md", "Locked.md", "Impatient.md")
ONE_SHOT = [sys.executable, "-m", "runbook", "execute", "--quiet"]


@dataclass(frozen=True)
class Answer:
    """0 as status: no answer."""

    status: int
    body: dict[str, object]

    @property
    def run_id(self) -> str | None:
        found = self.body.get("run_id")
        return str(found) if self.status in (200, 202) and found else None


NO_ANSWER = Answer(0, {})


class Client:
    """One caller. It signs in again when its token is refused."""

    def __init__(self, name: str, server: Server, watch: Watch, chance: random.Random) -> None:
        self._name = name
        self._server = server
        self._watch = watch
        self._chance = chance
        self._token = ""
        self._http = httpx.Client(base_url=server.url, timeout=ANSWER_S)
        self._pool = ThreadPoolExecutor(3)
        self._one_shot: subprocess.Popen[bytes] | None = None
        self._actions: dict[Callable[[], object], int] = {
            self._submit_some: 10,
            self._submit_with_key: 3,
            self._rerun_at_once: 6,
            self._cancel_at_once: 4,
            self._follow: 3,
            self._read: 3,
            self._execute_one_shot: 1,
        }

    def act(self) -> None:
        (action,) = self._chance.choices(list(self._actions), list(self._actions.values()))
        action()

    def close(self) -> None:
        self._end_one_shot()
        self._pool.shutdown()
        self._http.close()

    def submit(self, ref: str, key: str | None = None) -> str | None:
        """The ID of a new run, if the server tells it."""
        inputs = {"LOCK": self._chance.choice(LOCKS)} if ref in WITH_LOCK else {}
        return self._start(f"/api/runbooks/{ref}/execute", {"env_vars": inputs}, key).run_id

    def _start(self, path: str, body: dict[str, object], key: str | None = None) -> Answer:
        headers = {"Prefer": "respond-async"} | ({"Idempotency-Key": key} if key else {})
        expired = self._watch.keys_expire
        answer = self._ask("POST", path, json=body, headers=headers)
        if answer.run_id:
            is_kept = not (expired or self._watch.keys_expire)
            self._watch.accept(answer.run_id, key if is_kept else None)
        return answer

    def _ask(self, method: str, path: str, **more: Any) -> Answer:
        if not self._token:
            self._sign_in()
        given = more.pop("headers", {})
        headers = {"Authorization": self._bearer(), **given}
        try:
            reply = self._http.request(method, path, headers=headers, **more)
        except httpx.HTTPError as error:
            self._watch.count(f"reply: none ({type(error).__name__})")
            time.sleep(AFTER_NO_ANSWER_S)
            return NO_ANSWER
        if reply.status_code == 401:
            self._sign_in()
        if reply.status_code in (500, 501):
            self._watch.fault(f"{method} {path}: {reply.status_code} {reply.text[:500]}")
        body: dict[str, object] = {}
        with suppress(ValueError):
            found = reply.json()
            body = found if isinstance(found, dict) else {}
        self._watch.count(f"reply: {reply.status_code} {body.get('code', '')}")
        return Answer(reply.status_code, body)

    def _bearer(self) -> str:
        return f"Bearer {self._token or 'none'}"

    def _sign_in(self) -> None:
        asked = {"subject": self._name, "roles": ["sre"]}
        with suppress(httpx.HTTPError, ValueError, KeyError):
            self._token = self._http.post("/dev-login", json=asked).json()["access_token"]

    def _some_ref(self) -> str:
        return self._chance.choices(list(REFS), list(REFS.values()))[0]

    def _some_run(self, last: int = 30) -> str | None:
        known = self._watch.known()
        return self._chance.choice(known[-last:]) if known else None

    def _at_once(self, *calls: Callable[[], Answer]) -> list[Answer]:
        return [future.result() for future in [self._pool.submit(call) for call in calls]]

    def _submit_some(self) -> None:
        self.submit(self._some_ref())

    def _submit_with_key(self) -> None:
        """Twice at once, and again until there is an answer: one run, whatever happens."""
        key = str(uuid.UUID(int=self._chance.getrandbits(128)))
        body: dict[str, object] = {"env_vars": {}}
        path = f"/api/runbooks/{self._chance.choice(('Quick.md', 'Steps.md'))}/execute"
        for _ in range(TRIES):
            answers = self._at_once(*[lambda: self._start(path, body, key)] * 2)
            if all(answer.run_id for answer in answers):
                return

    def _rerun_at_once(self) -> None:
        run_id = self._failed_run()
        if run_id is None:
            return
        actions = self._chance.choices(("resume", "undo", "retry"), (5, 4, 1), k=3)
        answers = self._at_once(
            *[lambda a=action: self._start(f"/api/runs/{run_id}/{a}", {}) for action in actions]
        )
        for action, answer in zip(actions, answers):
            self._watch.count(f"{action}: {answer.status or 'none'}")

    def _failed_run(self) -> str | None:
        asked = {"status": "failed,lost,cancelled", "limit": "30"}
        query = [*asked.items(), ("runbook", "Steps.md"), ("runbook", "Reverts.md")]
        found = self._ask("GET", "/api/runs", params=query).body.get("runs")
        return str(self._chance.choice(found)["id"]) if isinstance(found, list) and found else None

    def _cancel_at_once(self) -> None:
        run_id = self._some_run(last=8)
        if run_id is not None:
            path = f"/api/runs/{run_id}/cancel"
            self._at_once(*[lambda: self._ask("POST", path)] * 2)

    def _follow(self) -> None:
        """The numbers of a run's events have no gaps, wherever the connection breaks."""
        run_id = self._some_run()
        if run_id is None:
            return
        headers = {"Authorization": self._bearer()}
        seen, deadline = 0, time.monotonic() + ANSWER_S
        with suppress(httpx.HTTPError):
            url = f"/api/runs/{run_id}/events"
            with self._http.stream("GET", url, headers=headers) as reply:
                for line in reply.iter_lines():
                    if line.startswith("data: ") and reply.status_code == 200:
                        number = json.loads(line[6:]).get("n")
                        if number != seen + 1 and run_id not in self._watch.damaged:
                            self._watch.fault(f"run {run_id}: event {number} after {seen}")
                        seen = number
                    if time.monotonic() > deadline:
                        break
        self._watch.count("followed")

    def _read(self) -> None:
        run_id = self._some_run()
        paths = ["/api/runs", "/api/runbooks", "/api/status"]
        if run_id is not None:
            paths += [f"/api/runs/{run_id}", f"/api/runs/{run_id}/log", f"/api/runs/{run_id}/undo"]
        self._ask("GET", self._chance.choice(paths))

    def _execute_one_shot(self) -> None:
        """Beside the server, with the same data. One at a time; some are killed."""
        if self._one_shot is not None and self._one_shot.poll() is None:
            if self._chance.random() < 0.1:
                self._watch.count("fault: kill one-shot")
                self._one_shot.kill()
            return
        self._end_one_shot()
        ref = self._some_ref()
        lock = ["--env", f"LOCK={self._chance.choice(LOCKS)}"] if ref in WITH_LOCK else []
        self._one_shot = subprocess.Popen(
            [*ONE_SHOT, *lock, ref],
            env=self._server.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._watch.count("one-shot: started")

    def _end_one_shot(self) -> None:
        if self._one_shot is not None:
            try:
                code = self._one_shot.wait(4 * PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._watch.fault(f"one-shot {self._one_shot.args!r} doesn't end")
                self._one_shot.kill()
                code = self._one_shot.wait()
            self._watch.count(f"one-shot: exit {code}")
            self._one_shot = None
