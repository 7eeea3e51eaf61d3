"""Installing, enabling, upgrading, rolling back and removing, on a real folder and database."""

import io
import multiprocessing
import os
import zipfile
from pathlib import Path

import pytest

from hostile_zips import HOSTILE
from runbook.core.audit import SYSTEM, AuditAction, NewAuditEvent, Target, TargetKind
from runbook.core.permissions import Permission
from runbook.core.toolkit import ToolkitOrigin
from runbook.errors import (
    AccessDeniedError,
    ConflictError,
    NotFoundError,
    SourceConflictError,
    StoreUnavailableError,
    ToolkitRefusedError,
)
from runbook.toolkits import installation
from runbook.toolkits.folder import digest_of, read_toolkit
from runbook.toolkits.listing import shown_json
from runbook.toolkits.shelf import Update
from toolkit_site import ANN, BOB, RUNBOOK, Site

LAB = Target(TargetKind.TOOLKIT, "lab")


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    site.store.close()


def append(site, text, version="toolkits/lab"):
    with (site.folder / version / "Job.md").open("a") as file:
        file.write(text)


def job(site, version="toolkits/lab"):
    return (site.folder / version / "Job.md").read_text()


def test_an_enabled_toolkit_offers_its_runbooks_in_every_process_at_once(site):
    made = site.installed()
    assert (made.version, made.enabled, made.installed_by) == ("1.0.0", False, "ann")
    assert site.refs(site.other) == []
    site.toolkits.enable("lab", ANN)
    assert site.refs(site.catalog) == site.refs(site.other) == ["lab/Job.md"]
    assert site.other.get("lab/Job.md").document.name == "Job"
    site.toolkits.disable("lab", ANN)
    assert site.refs(site.other) == []
    with pytest.raises(NotFoundError):
        site.other.get("lab/Job.md")


def test_an_upgrade_keeps_the_histories_and_the_version_before(site):
    site.installed()
    site.toolkits.enable("lab", ANN)
    append(site, "\n### then\n")
    (site.folder / "toolkits/lab/Job.history").write_text("older")
    made = site.installed(version="1.1.0", text="two")
    assert (site.folder / "toolkits/lab/Job.history").read_text() == "older"
    assert (made.version, made.previous, made.enabled) == ("1.1.0", "1.0.0", True)
    assert "echo two" in job(site)
    assert job(site).endswith("# History\n\n### then\n")
    append(site, "\n### now\n")

    back = site.toolkits.roll_back("lab", ANN)

    assert (back.version, back.previous) == ("1.0.0", "1.1.0")
    assert "echo one" in job(site)
    assert job(site).endswith("# History\n\n### then\n\n### now\n")
    assert not site.toolkits.list(ANN)[0].modified


def test_the_digest_covers_everything_but_histories(site):
    folder = site.make()
    digest = digest_of(folder)
    (folder / "Job.history").write_text("older")
    (folder / "Job.md").write_text(RUNBOOK.format(name="Job", text="one") + "\n### then\n")
    assert digest_of(folder) == digest
    (folder / "README.md").write_text("# Other\n")
    assert digest_of(folder) != digest


def test_what_was_changed_or_is_missing_is_said(site):
    site.installed(more="extras: [there, absent]\ncommands: [sh, no-such-command]\n")
    (listed,) = site.toolkits.list(ANN)
    assert (listed.missing.extras, listed.missing.commands) == (("absent",), ("no-such-command",))
    assert not listed.modified
    (site.folder / "toolkits/lab/README.md").write_text("# Edited\n")
    (listed,) = site.toolkits.list(ANN)
    assert listed.modified


def test_bundled_toolkits_are_offered(site):
    site.make(where="bundled", version="2.0.0")
    (offered,) = site.toolkits.list(ANN)
    assert (offered.installed, offered.bundled) == (None, "2.0.0")
    assert site.toolkits.install_bundled("lab", ANN).origin is ToolkitOrigin.BUNDLED
    with pytest.raises(NotFoundError):
        site.toolkits.install_bundled("other", ANN)


def test_an_archive(site):
    buffer = io.BytesIO()
    folder = site.make()
    with zipfile.ZipFile(buffer, "w") as made:
        for path in folder.iterdir():
            made.write(path, f"lab/{path.name}")
    assert site.toolkits.install_archive(buffer, ANN).origin is ToolkitOrigin.UPLOAD
    assert job(site) == (folder / "Job.md").read_text()


@pytest.mark.parametrize(
    ("name", "reason"), [("lib.pyc", "generated_file"), ("a\u202eb.md", "bad_name")]
)
def test_a_folder_with_what_an_archive_must_not_have(site, name, reason):
    folder = site.make()
    (folder / name).write_text("")
    with pytest.raises(ToolkitRefusedError) as caught:
        site.toolkits.install_folder(folder, ANN)
    assert caught.value.details["reason"] == reason


def tree(folder):
    """Everything in it, with what tells whether it was touched."""
    return {
        (str(path.relative_to(folder)), facts.st_ino, facts.st_mtime_ns, facts.st_size)
        for path in folder.rglob("*")
        if (facts := path.lstat())
    }


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_archives_change_nothing(upgraded):
    before, row = tree(upgraded.folder), upgraded.store.toolkits.get("lab")
    for what, (make, reason) in HOSTILE.items():
        with pytest.raises(ToolkitRefusedError) as caught:
            upgraded.toolkits.install_archive(io.BytesIO(make()), ANN)
        assert (what, caught.value.details["reason"]) == (what, reason)
        tidied = {it for it in tree(upgraded.folder) if it[0] != "toolkits"}
        assert tidied == {it for it in before if it[0] != "toolkits"}, what
    assert upgraded.store.toolkits.get("lab") == row
    assert state(upgraded) == OLD


def test_a_removed_toolkit_is_gone_with_all_its_versions(site):
    site.installed()
    site.installed(version="1.1.0")
    site.toolkits.enable("lab", ANN)
    site.toolkits.remove("lab", ANN)
    assert (site.refs(site.other), site.toolkits.list(ANN)) == ([], [])
    assert [path for path in site.folder.joinpath("toolkits").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("act", ["enable", "disable", "roll_back", "remove"])
def test_what_is_not_installed(site, act):
    with pytest.raises(NotFoundError):
        getattr(site.toolkits, act)("lab", ANN)


def test_a_name_that_is_taken(site):
    site.installed()
    (site.own / "lab").mkdir()
    with pytest.raises(SourceConflictError):
        site.toolkits.enable("lab", ANN)
    with pytest.raises(SourceConflictError):
        site.installed(version="1.1.0")
    assert site.store.toolkits.get("lab").version == "1.0.0"


def test_refused_toolkits_change_nothing(site):
    site.installed()
    before = digest_of(site.folder / "toolkits/lab")
    with pytest.raises(ToolkitRefusedError) as caught:
        site.installed(more='engine: ">=2"\n')
    assert caught.value.details["reason"] == "engine_version"
    link = site.make() / "link.md"
    link.symlink_to("/etc/passwd")
    with pytest.raises(ToolkitRefusedError):
        site.toolkits.install_folder(link.parent, ANN)
    with pytest.raises(ConflictError):
        site.toolkits.roll_back("lab", ANN)
    assert digest_of(site.folder / "toolkits/lab") == before
    assert os.listdir(site.folder / "toolkits") == ["lab"]


@pytest.mark.parametrize("act", ["enable", "disable", "roll_back", "remove"])
def test_only_those_who_may(site, act):
    site.installed()
    site.gate.forbidden = (Permission.TOOLKIT_WRITE,)
    with pytest.raises(AccessDeniedError):
        getattr(site.toolkits, act)("lab", ANN)
    with pytest.raises(AccessDeniedError):
        site.installed()


def unsupported(_one, _other):
    raise OSError(95, "unsupported")


def die(*_given):
    os._exit(9)


def in_child(act, site):
    """In a process of its own, which must die."""
    child = multiprocessing.get_context("fork").Process(target=act, args=(site,))
    child.start()
    child.join()
    assert child.exitcode == 9


def dying_at(step, act, *, exchange=True):
    def acting(site):
        installation.reached = lambda name: die() if name == step else None
        if not exchange:
            installation._rename_exchange = unsupported
        if step == "recorded":
            site.store.toolkits.put = site.store.toolkits.remove = die
        act(site)

    return acting


def state(site):
    """The version in the files, the one in the database, and the one to go back to."""
    row = site.store.toolkits.get("lab")
    text = job(site).partition("echo ")[2].partition("\n")[0]
    previous = site.installation.previous("lab")
    kept = previous and read_toolkit(previous).manifest.version
    return text, row.version, row.previous, kept


OLD = ("one", "1.0.0", "0.9.0", "0.9.0")
NEW = ("two", "1.1.0", "1.0.0", "1.0.0")


@pytest.fixture
def upgraded(site):
    """A toolkit that was upgraded once, with a history."""
    site.installed(version="0.9.0", text="zero")
    site.toolkits.enable("lab", ANN)
    site.installed()
    append(site, "\n### then\n")
    assert state(site) == OLD
    return site


@pytest.mark.parametrize(
    ("step", "exchange", "expected"),
    [
        ("carried", True, OLD),
        ("exchanged", True, NEW),
        ("recorded", True, NEW),
        ("aside", False, OLD),
        ("exchanged", False, NEW),
        ("recorded", False, NEW),
    ],
)
def test_a_kill_leaves_the_old_or_the_new_version(upgraded, step, exchange, expected):
    upgrade = lambda site: site.installed(version="1.1.0", text="two")  # noqa: E731
    in_child(dying_at(step, upgrade, exchange=exchange), upgraded)
    upgraded.toolkits.settle()
    assert state(upgraded) == expected
    assert job(upgraded).endswith("### then\n")
    assert upgraded.refs(upgraded.other) == ["lab/Job.md"]
    assert upgraded.other.toolkit("lab/Job.md").version == expected[1]
    assert sorted(os.listdir(upgraded.folder / "toolkits")) == [".previous", "lab"]
    assert not upgraded.toolkits.list(ANN)[0].modified


def test_a_kill_while_removing(upgraded):
    in_child(dying_at("recorded", lambda site: site.toolkits.remove("lab", ANN)), upgraded)
    upgraded.toolkits.settle()
    assert (upgraded.toolkits.list(ANN), upgraded.refs(upgraded.other)) == ([], [])


def test_a_kill_while_installing(site):
    in_child(dying_at("recorded", lambda site: site.installed()), site)
    site.toolkits.settle()
    (listed,) = site.toolkits.list(ANN)
    assert (listed.installed.version, listed.installed.enabled) == ("1.0.0", False)


@pytest.mark.parametrize(
    "act",
    [
        lambda site: site.installed(version="1.1.0", text="two"),
        lambda site: site.toolkits.roll_back("lab", ANN),
        lambda site: site.toolkits.remove("lab", ANN),
    ],
)
def test_files_change_back_if_the_database_fails(upgraded, act, monkeypatch):
    def fail(*_given):
        raise StoreUnavailableError

    with monkeypatch.context() as patched:
        patched.setattr(upgraded.store.toolkits, "put", fail)
        patched.setattr(upgraded.store.toolkits, "remove", fail)
        with pytest.raises(StoreUnavailableError):
            act(upgraded)
    assert state(upgraded) == OLD
    assert job(upgraded).endswith("### then\n")
    act(upgraded)


def test_a_failed_first_installation_leaves_nothing(site, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(site.store.toolkits, "put", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            site.installed()
    site.toolkits.settle()
    assert os.listdir(site.folder / "toolkits") == []


def test_an_intent_that_is_half_written_is_forgotten(upgraded):
    (upgraded.folder / "toolkits/.intent-lab.new").write_text('{"slug"')
    upgraded.toolkits.settle()
    assert state(upgraded) == OLD


def test_a_toolkit_that_is_disabled_meanwhile_stays_disabled(site):
    site.installed()
    site.toolkits.enable("lab", ANN)
    row = site.store.toolkits.get("lab")
    site.toolkits.disable("lab", ANN)
    site.store.toolkits.put(row, NewAuditEvent(SYSTEM, AuditAction.TOOLKIT_INSTALL, LAB))
    assert not site.store.toolkits.get("lab").enabled


def test_a_broken_bundled_toolkit_hides_no_other(site):
    site.make(where="bundled")
    site.make(where="bundled", slug="other", version="one")
    assert [it.manifest.slug for it in site.toolkits.list(ANN)] == ["lab"]
    with pytest.raises(ToolkitRefusedError) as caught:
        site.toolkits.install_bundled("other", ANN)
    assert [problem.code for problem in caught.value.details["problems"]] == ["bad_value"]


@pytest.mark.parametrize(
    "folder", sorted(Path(__file__).parents[3].glob("runbooks/*/toolkit.yaml"))
)
def test_the_toolkits_of_this_package_are_valid(folder):
    toolkit = read_toolkit(folder.parent)
    assert toolkit.manifest.slug == folder.parent.name
    assert (folder.parent / "README.md").is_file()


def test_one_installer_at_a_time(site, monkeypatch):
    monkeypatch.setattr(installation, "LOCK_SECONDS", 0)
    with site.installation.exclusively(), pytest.raises(ConflictError):
        site.installed()
    assert site.installed().version == "1.0.0"


def test_work_on_files_is_offloaded(site):
    offloaded = []
    site.toolkits = site.made_of(offload=lambda work: offloaded.append(work) or work())
    site.installed()
    site.toolkits.list(ANN)
    assert len(offloaded) == 2


def test_what_a_toolkit_shows(site):
    more = "connections: [ssh, proxmox]\ncard: {title: Jobs, runbook: Job.md}\n"
    site.installed(more=more)
    shown = site.toolkits.show("lab", ANN)
    assert (shown.readme, shown.listed.missing.connections) == ("# Lab\n", ("proxmox",))
    (job,) = shown.runbooks
    assert (job.entry.ref, job.entry.document.name, job.last_run) == ("lab/Job.md", "Job", None)
    site.last_runs["lab/Job.md"] = last = object()
    assert site.toolkits.show("lab", ANN).runbooks[0].last_run is last
    assert site.toolkits.show("lab", BOB).listed.missing.connections == ("ssh", "proxmox")
    assert shown_json(shown)["card"] == {"title": "Jobs", "runbook": "lab/Job.md"}
    site.gate.hidden = (Permission.RUN_READ,)
    assert site.toolkits.show("lab", ANN).runbooks[0].last_run is None
    site.gate.hidden = (Permission.RUNBOOK_LIST,)
    assert site.toolkits.show("lab", ANN).runbooks == ()
    with pytest.raises(NotFoundError):
        site.toolkits.show("other", ANN)


@pytest.mark.parametrize("state", ["bundled", "disabled", "enabled"])
def test_runbooks_are_shown_in_every_state(site, state):
    site.make(where="bundled")
    if state != "bundled":
        site.toolkits.install_bundled("lab", ANN)
    if state == "enabled":
        site.toolkits.enable("lab", ANN)
    (job,) = shown_json(site.toolkits.show("lab", ANN))["runbooks"]
    assert (job["path"], job["executable"]) == ("lab/Job.md", state == "enabled")


def test_a_newer_bundled_version_is_offered(site):
    site.installed()
    with pytest.raises(ConflictError):
        site.toolkits.update("lab", ANN)
    site.make(where="bundled", version="1.10.0")
    assert site.toolkits.list(ANN)[0].update == Update("1.10.0")
    assert site.toolkits.update("lab", ANN).version == "1.10.0"
    assert site.toolkits.list(ANN)[0].update is None
