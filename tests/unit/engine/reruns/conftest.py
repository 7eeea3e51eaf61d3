"""Runs of a runbook with three steps to rerun, and helpers that rerun them."""

import pytest

from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine.requests import ExecuteRequest
from runbook.errors import ConflictError

BOB = Principal("bob", Origin.API, {"roles": ["sre"]}, "192.0.2.2", grants=ALL_GRANTS)


@pytest.fixture
def bob():
    """Who requests reruns by default."""
    return BOB


@pytest.fixture
def diary(tmp_path):
    """A file that scripts write to, and its lines."""
    path = tmp_path / "diary"
    path.touch()

    class Diary:
        def note(self, text):
            return f"print {text} >> {path}"

        def lines(self):
            return path.read_text().splitlines()

        def fails_while(self, name):
            """A script that fails as long as there is a file of this name beside the diary."""
            (tmp_path / name).touch()
            return f"{self.note(name)}; [[ ! -e {tmp_path / name} ]]"

        def mend(self, name):
            (tmp_path / name).unlink()

        def clear(self):
            path.write_text("")

    return Diary()


@pytest.fixture
def three(workshop, diary, step):
    """Three.md: the third step fails until it is mended; the second one has no Undo."""
    steps = (
        step("One", f"{diary.note('one')}; print A=1 >> $RUNBOOK_ENV", undo=diary.note("un-one")),
        step("Two", f"{diary.note('two')}; print b=2 >> $RUNBOOK_OUTPUT"),
        step("Three", diary.fails_while("three"), undo=diary.note("un-three")),
        step("Four", f"{diary.note('four-$A')}; print c=3 >> $RUNBOOK_OUTPUT"),
    )
    return lambda **more: workshop.write_steps("Three", *steps, **more)


@pytest.fixture
def rerun(workshop):
    """Rerun a run, and execute the new one unless it ended as it was created."""

    def call(action, run, *args, by=BOB, execute=True, **request):
        submitted = getattr(workshop.engine, action)(run, by, ExecuteRequest(**request), *args)
        if submitted.run.status.terminal or not execute:
            return submitted.run
        ended = workshop.execute()
        assert ended.id == submitted.run.id
        return ended

    return call


@pytest.fixture
def failed(workshop, three):
    """A run of Three.md that failed in its third step."""

    def call(**more):
        three(**more)
        workshop.submit("Three.md")
        run = workshop.execute()
        assert run.status is RunStatus.FAILED
        return run

    return call


@pytest.fixture
def rows(workshop):
    return lambda run: [(row.n, row.status) for row in workshop.store.steps.of(run.id)]


@pytest.fixture
def conflict():
    """The code and the parameters of the conflict that a call raises."""

    def conflict_of(call, *args, **more):
        with pytest.raises(ConflictError) as caught:
            call(*args, **more)
        (problem,) = caught.value.details["problems"]
        return problem.code, problem.params

    return conflict_of
