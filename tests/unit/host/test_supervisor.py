"""What the supervisor does about a child that keeps dying."""

from runbook.host import supervisor
from runbook.host.supervisor import MOST_QUICK_DEATHS, Child, Supervisor


def test_a_child_that_keeps_dying_is_given_up_and_that_is_logged(monkeypatch):
    said = []
    monkeypatch.setattr(supervisor, "_log", lambda event, **more: said.append((event, more)))
    child = Child(("/bin/false",), {})
    supervising = Supervisor({})

    child.start()
    while child.pid is not None:
        supervising._restart(child, "worker", child.ended())

    fields = {"child": "worker", "exit_code": 1}
    restarts = [("supervisor.restarts", fields)] * (MOST_QUICK_DEATHS - 1)
    assert said == [*restarts, ("supervisor.gives_up", fields)]
    assert supervising._exit_code == 1
