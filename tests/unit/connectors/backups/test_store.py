"""The store of configurations, on a real repository."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from runbook.connectors.backups import BackupStore, DamagedError, Origin, Snapshot, Source
from runbook.connectors.backups.blame import blame
from runbook.connectors.backups.comparing import compared
from runbook.connectors.backups.git import Git, GitError

RUN = Source("run-1", "mikrotik/Push.md", "Apply the change", "ann")


def export(*lines):
    return "\n".join(["/ip address", *lines]) + "\n"


ONE = export("add address=10.0.0.1/24 interface=ether1")
TWO = export("add address=10.0.0.1/24 interface=ether2")


@pytest.fixture
def store(tmp_path):
    return BackupStore(tmp_path / "device-backups", tmp_path / "keys" / "device-backups")


def test_nobody_sees_a_repository_before_it_is_whole(tmp_path, monkeypatch):
    run, seen = Git._run, []

    def watched(git, arguments, *more, **named):
        done = run(git, arguments, *more, **named)
        if arguments[0] == "init":
            seen.append(git.exists)
        return done

    monkeypatch.setattr(Git, "_run", watched)
    git = Git(tmp_path)
    with git.writing():
        assert git.head() is None
    assert (seen, git.exists) == ([False], True)


def save(store, text=ONE, origin=Origin.SEEN, device="edge-1", **more):
    given = {"facts": {"version": "7.18"}, "fingerprint": store.fingerprint(text), **more}
    return store.save(Snapshot(device, text, **given), origin, RUN, binary=lambda: b"binary")


def test_only_a_change_makes_a_commit_and_it_says_whose(store):
    saved = [save(store) for _ in range(3)]
    assert [one.is_new for one in saved] == [True, False, False]
    assert save(store, facts={"version": "7.19"}).is_new
    assert save(store, facts={"version": "7.19"}, fingerprint="another secret").is_new

    newest, _, oldest = store.history("edge-1")
    assert (oldest.origin, newest.origin, newest.source) == (Origin.FIRST, Origin.SEEN, RUN)
    assert store.export("edge-1") == ONE
    assert store.version("edge-1", oldest.commit[:8]) == oldest


@pytest.mark.parametrize(("file", "content"), [("HEAD", ""), ("config", "[core")])
def test_readers_use_none_of_the_files_that_are_damaged_here(store, tmp_path, file, content):
    save(store)
    (tmp_path / "device-backups" / "repository.git" / file).write_text(content)
    assert store.devices() == ["edge-1"]
    with pytest.raises(GitError):
        save(store, TWO)


@pytest.mark.parametrize("packed", [False, True])
def test_what_a_script_leaves_in_the_repository_is_not_run(store, tmp_path, packed):
    """Each of these runs a program for a reader that uses the repository as it is."""
    save(store)
    save(store, TWO)
    repository = tmp_path / "device-backups" / "repository.git"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/caught\ncat")
    program.chmod(0o755)
    if packed:
        with store.git.writing():
            store.git.text("pack-refs", "--all", "--prune")
    with (repository / "config").open("a") as config:
        config.write(
            f"[core]\n\tfsmonitor = {program}\n\thooksPath = {tmp_path}\n"
            f"\talternateRefsCommand = {program}\n\tpager = {program}\n"
            f"[gpg]\n\tprogram = {program}\n[log]\n\tshowSignature = true\n"
            f'[diff "x"]\n\ttextconv = {program}\n\tcommand = {program}\n'
        )
    (repository / "info").mkdir(exist_ok=True)
    (repository / "info/attributes").write_text("* diff=x\n")

    latest, first = store.history("edge-1")
    assert len(blame(store, "edge-1")) == len(TWO.splitlines())
    assert "ether2" in compared(store, "edge-1", first.commit, latest.commit).diff
    assert store.devices() == ["edge-1"]
    assert not (tmp_path / "caught").exists()


@pytest.mark.parametrize("content", ["", "x"])
def test_a_damaged_repository_isnt_an_empty_one(store, tmp_path, content):
    save(store)
    (tmp_path / "device-backups" / "repository.git/refs/heads/main").write_text(content)
    for work in (lambda: store.history("edge-1"), store.devices, lambda: save(store)):
        with pytest.raises(GitError):
            work()


def test_a_commit_of_somebody_else_is_read_as_far_as_it_can_be(store):
    save(store)
    with store.git.writing():
        store.git.commit({"edge-1/export.rsc": b"x\n"}, "By hand\n\nOrigin: elsewhere\n")
    assert [one.origin for one in store.history("edge-1")] == [Origin.SEEN, Origin.FIRST]


def test_what_is_committed_stays_if_tidying_fails(store, monkeypatch):
    run = store.git._run

    def failing(arguments, *rest, **more):
        if arguments[0] == "gc":
            raise GitError("git gc didn't end")
        return run(arguments, *rest, **more)

    monkeypatch.setattr(store.git, "_run", failing)
    assert save(store).is_new


def test_binary_backups_are_encrypted_for_their_device(store, tmp_path):
    commit = save(store).commit
    stored = store.git.read(commit, "edge-1/backup.bin")
    assert b"binary" not in stored
    assert store.binary("edge-1") == b"binary"
    files = {f"edge-2/{name}": store.git.read(commit, f"edge-1/{name}") for name in NAMES}
    with store.git.writing():
        store.git.commit(files, "Copy\n\nDevice: edge-2\n")
    with pytest.raises(DamagedError):
        store.binary("edge-2")
    (tmp_path / "keys" / "device-backups").unlink()
    with pytest.raises(DamagedError):
        store.binary("edge-1")


NAMES = ("export.rsc", "device.json", "backup.bin")


def test_writers_at_the_same_time_lose_nothing(store):
    names = [f"edge-{n}" for n in range(12)]
    with ThreadPoolExecutor(6) as pool:
        saved = list(pool.map(lambda name: save(store, device=name), names))
    assert all(one.is_new for one in saved)
    assert store.devices() == sorted(names)


def test_what_a_killed_writer_left_keeps_nobody(store, tmp_path):
    save(store)
    repository = tmp_path / "device-backups" / "repository.git"
    for left in ("refs/heads/main.lock", "HEAD.lock", "../index.lock", "../index"):
        (repository / left).write_text("")
    assert save(store, export("add address=10.0.0.2/24 interface=ether1")).is_new
    assert len(store.history("edge-1")) == 2


KILLED = """
import sys
from pathlib import Path
from runbook.connectors.backups import BackupStore, Origin, Snapshot, Source
folder = Path(sys.argv[1])
store = BackupStore(folder / "device-backups", folder / "keys" / "device-backups")
print("ready", flush=True)
for n in range(10_000):
    store.save(Snapshot("edge-1", f"/a\\nadd n={n}\\n"), Origin.SEEN, Source(), binary=lambda: b"x")
"""


@pytest.mark.parametrize("seconds", [0.01, 0.05, 0.09, 0.13])
def test_a_writer_that_is_killed_leaves_whole_versions(store, tmp_path, seconds):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE
    ) as writer:
        writer.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(seconds)
        writer.kill()
    assert save(store).is_new
    for version in store.history("edge-1"):
        assert store.export("edge-1", version.commit)
        assert store.binary("edge-1", version.commit)
    subprocess.run(
        ["git", "fsck", "--strict"],
        cwd=tmp_path / "device-backups" / "repository.git",
        check=True,
        capture_output=True,
    )


def test_each_line_is_blamed_on_the_run_that_brought_it(store):
    first = export("add address=10.0.0.1/24", "add address=10.0.0.2/24")
    second = export("add address=10.0.0.1/24", "add address=10.0.0.3/24", "add address=10.0.0.2/24")
    third = export("add address=10.0.0.9/24", "add address=10.0.0.3/24", "add address=10.0.0.2/24")
    save(store, first)
    save(store, second, Origin.RUN)
    save(store, third, Origin.SEEN)
    save(store, ONE, device="edge-2")

    origins = [line.version.origin for line in blame(store, "edge-1")]
    assert origins == [Origin.FIRST, Origin.SEEN, Origin.RUN, Origin.FIRST]
    with pytest.raises(DamagedError):
        blame(store, "edge-3")
