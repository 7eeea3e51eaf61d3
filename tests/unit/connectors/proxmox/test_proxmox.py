"""The connector, against a server."""

from contextlib import closing

import pytest

from ports import free_port
from runbook.connectors import netbox, proxmox
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.proxmox import Proxmox, Span, session, tasks

START = "/nodes/pve1/qemu/100/status/start"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(session, "PAUSE_S", 0.01)
    monkeypatch.setattr(tasks, "FIRST_PAUSE_S", 0.01)


def error_of(call, *args, **values):
    with pytest.raises(ConnectorError) as caught:
        call(*args, **values)
    return caught.value


# -- connecting ----------------------------------------------------------------------------------


def test_a_token_and_a_custom_certificate(pve):
    assert [node["node"] for node in pve.api.nodes.get()] == ["pve1"]


def test_a_user_and_a_password(lab):
    values = {k: v for k, v in lab.values.items() if not k.startswith("token")}
    values |= {"user": "root@pam", "password": "secret"}
    with closing(Proxmox("lab", values)) as pve:
        assert pve.api.version.get()["release"] == "9.0"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"token_secret": "wrong"}, ErrorCode.AUTH),
        ({"token_id": "", "user": "root@pam", "password": "wrong"}, ErrorCode.AUTH),
        ({"token_id": "", "token_secret": ""}, ErrorCode.AUTH),
        ({"token_id": "root"}, ErrorCode.INVALID),
        ({"ca": ""}, ErrorCode.TLS),
        ({"port": free_port()}, ErrorCode.UNREACHABLE),
    ],
)
def test_what_is_wrong_with_a_connection_is_told(lab, changes, code):
    result = proxmox.check(lab.values | changes)
    assert (result.ok, result.code) == (False, code)
    assert lab.values["token_secret"] not in result.message


def test_a_good_connection(lab):
    assert proxmox.check(lab.values) == (
        proxmox.CheckResult(True, None, "Proxmox VE 9.0.10", "9.0.10")
    )


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_a_certificate_that_is_not_verified_by_choice(lab):
    assert proxmox.check(lab.values | {"ca": "", "verify_tls": False}).ok


@pytest.mark.parametrize("check", [proxmox.check, netbox.check])
def test_a_ca_certificate_that_is_none(lab, check):
    values = {**lab.values, "url": "https://127.0.0.1:1", "token": "x", "ca": "nonsense"}
    assert check(values).code is ErrorCode.INVALID


def test_no_answer_in_time(lab):
    lab.pve.flaky_network(hang_rate=1, hang_secs=1)
    lab.pve.time_scale = 1
    found = proxmox.check(lab.values | {"timeout": 0.2})
    lab.pve.flaky_network()
    assert found.code is ErrorCode.TIMEOUT


# -- errors --------------------------------------------------------------------------------------


def test_the_servers_own_field_errors_are_in_the_message(pve):
    values = {"vmid": 100, "net0": "nonsense=1", "unheard": 1}
    error = error_of(pve.api.nodes("pve1").qemu.post, **values)
    assert (error.code, error.nothing_changed) == (ErrorCode.INVALID, True)
    assert set(error.fields) == {"net0", "unheard"}
    assert all(text.strip() in error.message for text in error.fields.values())


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("no_quorum", ErrorCode.SERVER),
        ("locked", ErrorCode.LOCKED),
        ("taken", ErrorCode.CONFLICT),
        ("missing", ErrorCode.NOT_FOUND),
        ("refused", ErrorCode.REFUSED),
        ("offline", ErrorCode.UNREACHABLE),
        ("broken", ErrorCode.UNREACHABLE),
        ("gateway", ErrorCode.SERVER),
        ("proxy", ErrorCode.SERVER),
        ("patience", ErrorCode.SERVER),
    ],
)
def test_errors_have_codes(lab, pve, name, code):
    lab.pve.add_vm(100, "web")
    failures = {
        "no_quorum": (500, "cluster not ready - no quorum?"),
        "locked": (500, "VM is locked (backup)"),
        "taken": (400, "unable to create VM 100 - VM 100 already exists on node 'pve1'"),
        "missing": (500, "Configuration file 'nodes/pve1/qemu-server/9.conf' does not exist"),
        "refused": (403, "Permission check failed (/vms/100, VM.PowerMgmt)"),
        "offline": (595, "No route to host"),
        "broken": (596, "Connection timed out"),
        "gateway": (502, "Bad Gateway"),
        "proxy": (524, "A timeout occurred"),
        "patience": (408, "Request Timeout"),
    }
    lab.pve.fail("POST", START, *failures[name])
    error = error_of(pve.api(START[1:]).post)
    assert error.code is code
    assert failures[name][1] in error.message
    assert error.nothing_changed is (name not in ("broken", "gateway", "proxy", "patience"))


def test_a_read_is_repeated_on_a_flaky_network(lab, pve):
    lab.pve.network["seed"] = 1
    lab.pve._random.seed(1)
    lab.pve.flaky_network(drop_rate=0.4)
    for _ in range(8):
        assert pve.api.nodes.get()


def test_a_change_is_never_repeated(lab, pve):
    lab.pve.add_vm(100, "web")
    pve.api.nodes.get()
    lab.pve.flaky_network(drop_rate=1)
    error = error_of(pve.api(START[1:]).post)
    assert (error.code, error.answered) == (ErrorCode.UNREACHABLE, False)


# -- tasks ---------------------------------------------------------------------------------------


def started(lab, *lines, status="OK", kind="qmclone"):
    """A task with this log that has ended."""

    async def body():
        if status != "OK":
            from fakepve.model import TaskError

            raise TaskError(status)

    return lab.call(lab.pve.task("pve1", kind, 100, "root@pam!rb", body, log=lines))


def test_the_log_is_printed_and_its_percentages_are_the_progress(lab, pve, said, capsys):
    lines = ["create full clone", "transferred 2.0 GiB of 8.0 GiB (25.00%)", "drive: 80% done"]
    pve.run(started(lab, *lines), progress=Span(50, 100))
    assert capsys.readouterr().out.splitlines() == [*lines, "TASK OK"]
    assert said("PROGRESS") == ["62.5 qmclone", "90 qmclone", "100 qmclone"]


def test_a_long_log_is_read_to_its_end(lab, pve, said, capsys):
    pve.run(started(lab, *map(str, range(1300))))
    assert capsys.readouterr().out.splitlines() == [*map(str, range(1300)), "TASK OK"]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("unable to create VM 100 - no such volume", ErrorCode.NOT_FOUND),
        ("can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout", ErrorCode.LOCKED),
        ("unable to write to storage 'local': No space left on device", ErrorCode.FULL),
        ("command 'qm' failed: exit code 1", ErrorCode.TASK_FAILED),
    ],
)
def test_the_exit_status_decides(lab, pve, said, status, code):
    error = error_of(pve.run, started(lab, status=status))
    assert (error.code, error.nothing_changed, error.answered) == (code, False, True)
    assert status in error.message


def test_warnings_are_success(lab, pve, said):
    upid = started(lab)
    lab.pve.tasks[upid]["exitstatus"] = "WARNINGS: 2"
    pve.run(upid)


def test_a_script_that_is_cancelled_stops_its_task(lab, pve, said, monkeypatch):
    upid = started(lab)
    lab.pve.tasks[upid]["status"] = "running"

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(tasks.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        pve.run(upid)
    assert lab.changes() == [("DELETE", f"/nodes/pve1/tasks/{upid}", {})]


@pytest.mark.parametrize("status", [595, 502])
def test_a_server_that_is_away_for_a_while_does_not_end_the_wait(lab, pve, said, status):
    upid = started(lab)
    lab.pve.fail("GET", f"/tasks/{upid}/status", status, "No route to host", times=7)
    pve.run(upid)


@pytest.mark.parametrize(
    ("status", "code"), [(595, ErrorCode.UNREACHABLE), (403, ErrorCode.REFUSED)]
)
def test_a_task_that_can_not_be_followed_goes_on(lab, pve, said, monkeypatch, status, code):
    monkeypatch.setattr(tasks, "PATIENCE_S", -1)
    upid = started(lab)
    lab.pve.fail("GET", f"/tasks/{upid}/status", status, "No", times=9)
    error = error_of(pve.run, upid)
    assert (error.code, error.nothing_changed, error.answered) == (code, False, False)


def test_an_answer_that_is_no_task(pve):
    assert error_of(pve.run, "fine").code is ErrorCode.SERVER


# -- dry runs ------------------------------------------------------------------------------------


def test_a_dry_run_reads_and_sends_no_change(lab, said):
    from runbook.connectors.effects import doing

    lab.pve.add_vm(100, "web")
    with closing(Proxmox("lab", lab.values, dry_run=True)) as pve:
        assert [vm["vmid"] for vm in pve.api.nodes("pve1").qemu.get()] == [100]
        vm = pve.api.nodes("pve1").qemu(100)
        with doing("start web"):
            pve.run(vm.status.start.post(timeout=5))
        vm.config.put(memory="2048", cipassword="hunter2222")
        pve.run(vm.delete(purge=1))
    assert lab.changes() == []
    assert said("PLAN") == [
        "verified: start web: POST /nodes/pve1/qemu/100/status/start timeout=5",
        "verified: PUT /nodes/pve1/qemu/100/config cipassword=*** memory=2048",
        "verified: DELETE /nodes/pve1/qemu/100 purge=1",
    ]
