import os
import subprocess
import sys
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.host import proctable
from runbook.host.proctable import ProcessEntry


def entry(pid, parent):
    return ProcessEntry(pid, "S", parent, pid, pid, 0)


def table(**parents):
    return {int(pid[1:]): entry(int(pid[1:]), parent) for pid, parent in parents.items()}


def pids(entries):
    return sorted(entry.pid for entry in entries)


def test_descendants_are_found_through_every_generation():
    processes = table(p1=0, p10=1, p11=10, p12=11, p20=1)
    assert pids(proctable.descendants(10, processes)) == [11, 12]


def test_what_is_kept_keeps_its_descendants():
    processes = table(p10=1, p11=10, p12=11, p13=10)
    assert pids(proctable.descendants(10, processes, {11})) == [13]


@given(st.dictionaries(st.integers(1, 30), st.integers(0, 30)))
@settings(deadline=None)
def test_descendants_end_also_in_a_table_that_makes_no_sense(parents):
    processes = {pid: entry(pid, parent) for pid, parent in parents.items()}
    found = pids(proctable.descendants(1, processes))
    children = {pid for pid, parent in parents.items() if parent == 1 and pid != 1}
    assert children <= set(found)
    assert all(parents[pid] == 1 or parents[pid] in found for pid in found)


def test_a_program_may_have_any_name(tmp_path):
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "99"], start_new_session=True) as child:
        found = proctable.read_process(child.pid)
        child.kill()
    assert found is not None
    assert (found.parent, found.session) == (os.getpid(), child.pid)
    assert found.started <= proctable.ticks_since_boot()


def test_a_process_that_is_gone_is_not_there():
    with subprocess.Popen(["true"]) as child:
        child.wait()
    assert proctable.read_process(child.pid) is None
    assert proctable.variable_of(child.pid, "PATH") is None


def test_a_variable_is_found_by_its_whole_name():
    environment = {"OTHER_MARK": "1", "MARK2": "2", "X": "MARK=3", "MARK": "4"}
    with subprocess.Popen(["sleep", "99"], env=environment) as child:
        while not proctable.read_proc(f"{child.pid}/environ"):
            time.sleep(0.001)  # the program is still being loaded
        found = proctable.variable_of(child.pid, "MARK")
        missing = proctable.variable_of(child.pid, "ARK")
        child.kill()
    assert (found, missing) == ("4", None)


def test_numbers_rise():
    with subprocess.Popen(["true"]) as child:
        assert proctable.last_pid() >= child.pid or proctable.last_pid() < os.getpid()


def test_a_number_that_means_another_process_by_now_is_not_killed():
    with subprocess.Popen(["sleep", "99"]) as child:
        seen = proctable.read_process(child.pid)
        assert seen is not None
        seen.started -= 1
        looks = iter([[seen]])
        proctable.kill_until_gone(lambda: next(looks, []))
        assert child.poll() is None
        child.kill()


def test_what_cannot_be_killed_is_given_up_in_the_end(monkeypatch):
    with subprocess.Popen(["sleep", "99"]) as child:
        seen = proctable.read_process(child.pid)
        monkeypatch.setattr(proctable, "_send_kill", lambda entry, descriptor: None)
        began = time.monotonic()
        proctable.kill_until_gone(lambda: [seen], patience_s=0.1)
        assert time.monotonic() - began >= 0.1
        monkeypatch.undo()
        child.kill()


def test_what_may_not_be_killed_is_left_at_once(monkeypatch):
    def forbidden(entry, descriptor):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(proctable, "_send_kill", forbidden)
    with subprocess.Popen(["sleep", "99"]) as child:
        seen = proctable.read_process(child.pid)
        proctable.kill_until_gone(lambda: [seen], patience_s=60)
        child.kill()


def test_an_undumpable_process_hides_its_environment_from_its_own_user():
    source = (
        "import os; from runbook.host.proctable import make_undumpable; make_undumpable();"
        "print(os.stat('/proc/self/environ').st_uid)"
    )
    user = {"user": 65_534} if os.geteuid() == 0 else {}
    dropping = f"import os; os.setuid({user.get('user', os.getuid())}); {source}"
    done = subprocess.run(
        [sys.executable, "-c", "import runbook.host.proctable, ctypes;" + dropping],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "0\n"
