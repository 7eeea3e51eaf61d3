"""The toolkit on a real Docker Engine. Part of `make test-images`."""

import json
import os
import signal
import subprocess
import time

import pytest

from patience import PATIENCE_S
from stacks.site import image

REFUSED, REVERTED = 40, 41
RUN = ("sleep", "infinity")
CRASH = ("sh", "-c", "echo no database; exit 3")
WRONG_PROBE = (
    "    pull_policy: never\n"
    "    healthcheck: {test: [CMD, test, -e, /missing], interval: 1s, retries: 1}"
)
MAKE = """
mkdir -p /data/deep/er /data/empty
echo text > /data/file
dd if=/dev/urandom of=/data/deep/er/random bs=1k count=300 2>/dev/null
ln -s ../file /data/deep/link
ln /data/file /data/deep/hard
chown 1234:4321 /data/deep/er/random
chmod 4711 /data/deep/er/random
chmod 1770 /data/empty
touch -d '2001-02-03 04:05:06' /data/deep/er/random /data/empty
ln -s ../../../outside /data/deep/out
chown 77:88 /data
chmod 751 /data
"""
SPOIL = """
rm -rf /data/deep
echo other > /data/file
touch /data/extra
chown 0:0 /data
chmod 700 /data
"""
LIST = """
cd /data
find . | sort | while read -r it; do stat -c '%n %f %u %g %s %h %Y' "$it" | grep -v '^. '; done
stat -c '%f %u %g' .
find . -type f | sort | xargs sha256sum
readlink deep/link deep/out || true
"""


def first_event(process, kind):
    """The first event of this type that a run prints."""
    return next(one for one in map(json.loads, process.stdout) if one["type"] == kind)


def kill_once(site, runbook, is_time, *options, **inputs):
    """Kill the engine and the script of a run with -9 at some time. Returns the run's ID."""
    with site.start(runbook, *options, **inputs) as process:
        run = first_event(process, "queued")["run_id"]
        first_event(process, "started")
        deadline = time.monotonic() + PATIENCE_S
        while not is_time():
            assert time.monotonic() < deadline
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    return run


def inside(site, script):
    """What a script prints in the only container of the stack."""
    (container,) = site.containers()
    return site.engine.out("exec", "--user", "0:0", container, "sh", "-c", script)


def git(folder, *arguments):
    names = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"]
    command = ["git", *names, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def publish(site, tmp_path):
    """Make the stack's folder a clone. Returns its commit."""
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(site.folder, "init", "--quiet", "--initial-branch=main")
    git(site.folder, "remote", "add", "origin", str(remote))
    return commit(site.folder)


def commit(folder):
    """Commit what is there, and push it. Returns the commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Change")
    git(folder, "push", "--quiet", "origin", "HEAD:main")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def deployed(site):
    """Rolled out once, with the image v1."""
    done = site.execute("Rollout")
    assert done.code == 0, done.text
    assert site.images() == [site.offer("v1")]
    return site


def test_a_rollout_keeps_the_scale_and_replaces_the_image(deployed):
    site = deployed
    scaled = site.execute("Scale", SERVICE="app", REPLICAS="3")
    assert (scaled.code, scaled.outputs["outcome"]) == (0, "committed"), scaled.text
    assert len(site.images()) == 3

    new = site.offer("v2")
    done = site.execute("Rollout")
    assert (done.code, done.outputs["outcome"]) == (0, "committed"), done.text
    assert site.images() == [new] * 3


@pytest.mark.parametrize("healthy", [False, True])
def test_a_broken_image_goes_and_the_old_one_is_back(deployed, healthy):
    site = deployed
    assert site.execute("Scale", SERVICE="app", REPLICAS="2").code == 0
    old = site.images()
    # Either its health check fails, or it ends at once.
    site.offer(f"broken-{healthy}", healthy=healthy, command=CRASH if healthy else RUN)
    done = site.execute("Rollout")
    assert (done.code, done.outputs["outcome"]) == (REVERTED, "reverted"), done.text
    assert done.outputs["reason"] == "unhealthy"
    assert ("is unhealthy" in done.text) is not healthy
    assert site.images() == old
    assert site.engine.out("image", "inspect", "--format", "{{.Id}}", site.reference) == old[0]
    assert site.status().outputs["half_done"] == []


def test_the_configuration_from_before_comes_back(deployed):
    site = deployed
    before = site.containers()
    site.write(more=WRONG_PROBE)
    done = site.execute("Rollout")
    assert (done.code, done.outputs["reason"]) == (REVERTED, "unhealthy"), done.text
    assert len(before) == len(site.images())
    site.write()
    drift = site.execute("Drift")
    assert drift.outputs["differs"] == []


def test_dry_runs_change_nothing(deployed):
    site = deployed
    saved = site.execute("Backup")
    assert saved.code == 0, saved.text
    before = site.everything()
    scale = site.execute("Scale", "--dry-run", SERVICE="app", REPLICAS="3")
    assert site.everything() == before
    site.offer("v2")
    before = site.everything()
    rollout = site.execute("Rollout", "--dry-run")
    backup = site.execute("Backup", "--dry-run")
    restore = site.execute("Restore", "--dry-run")
    recover = site.execute("Recover", "--dry-run")
    assert site.everything() == before
    assert [one.code for one in (rollout, scale, backup, restore, recover)] == [0] * 5
    assert rollout.outputs["differs"] == ["app"]
    up = "up --detach --no-build --pull never --scale app=1"
    assert [line.split(" ", 1)[0] for line in rollout.plan] == ["docker"] * 2
    assert rollout.plan[-1].endswith(up)
    assert scale.plan[0].endswith("--no-recreate --no-deps --scale app=3 app")


def test_of_two_rollouts_at_once_one_waits(deployed):
    site = deployed
    first_version, second_version = site.offer("v2"), site.offer("v3")
    site.offer("v2")
    with site.start("Rollout") as first:
        holder = first_event(first, "queued")["run_id"]
        first_event(first, "step")
        with site.start("Rollout") as second:
            waiting = first_event(second, "waiting")
            site.offer("v3")
            assert second.wait() == 0
        assert first.wait() == 0
    assert waiting["lock"] == "stack:local:web"
    assert waiting["held_by"] == holder
    assert site.images() == [second_version]
    assert first_version != second_version


@pytest.mark.parametrize("afterwards", ["Recover", "Rollout"])
def test_a_killed_rollout_is_named_and_ended(deployed, afterwards):
    site = deployed
    old, new = site.images(), site.offer("slow", healthy=False)
    killed = kill_once(site, "Rollout", lambda: new in dict(site.containers().values()))
    found = site.status()
    assert found.outputs["half_done"] == ["web"]
    assert killed in found.printed

    if afterwards == "Rollout":
        new = site.offer("v2")
        done = site.execute("Rollout")
        assert (done.code, done.outputs["outcome"]) == (0, "committed"), done.text
        # The change is undone with the names of images, so what was offered last is pulled again.
        assert site.images() in (old, [new])
    else:
        done = site.execute("Recover")
        assert (done.code, done.outputs["outcome"]) == (0, "reverted"), done.text
        assert site.images() == old
    assert site.status().outputs["half_done"] == []


def test_a_retry_of_a_killed_rollout_ends_it_first(deployed):
    site = deployed
    old, new = site.images(), site.offer("slow", healthy=False)
    killed = kill_once(site, "Rollout", lambda: new in dict(site.containers().values()))
    done = site.toolkits.rerun("retry", killed)
    assert done.code == 0, done.text
    assert site.images() == old


def test_an_undo_brings_back_what_was_there(deployed):
    site = deployed
    old = site.images()
    site.offer("v2")
    scaled = site.execute("Scale", SERVICE="app", REPLICAS="2")
    assert scaled.code == REFUSED  # it would get containers of two images
    rolled_out = site.execute("Rollout")
    assert site.toolkits.rerun("undo", rolled_out.run).code == 0
    assert site.images() == old

    scaled = site.execute("Scale", SERVICE="app", REPLICAS="2")
    assert (scaled.code, len(site.images())) == (0, 2)
    assert site.toolkits.rerun("undo", scaled.run).code == 0
    assert site.images() == old
    site.execute("Rollout")
    assert site.images() == old


def test_a_scale_that_the_file_does_not_allow_is_refused(deployed):
    site = deployed
    before = site.containers()
    site.write(more="    container_name: only-one\n    pull_policy: never")
    done = site.execute("Scale", SERVICE="app", REPLICAS="2")
    assert (done.code, done.outputs["reason"]) == (REFUSED, "invalid")
    done = site.execute("Scale", SERVICE="other", REPLICAS="2")
    assert (done.code, done.outputs["reason"]) == (REFUSED, "invalid")
    assert site.containers() == before


def test_drift_is_found(deployed):
    site = deployed
    same = site.execute("Drift", FAIL="true")
    assert (same.code, same.outputs["differs"], same.outputs["floating"]) == (0, [], [])
    name = next(iter(site.containers()))
    site.engine.docker("rm", "--force", name)
    gone = site.execute("Drift", FAIL="true")
    assert (gone.code, gone.outputs["differs"]) == (3, ["app"])
    site.engine.docker("image", "tag", site.reference, "stacks/web:latest")
    site.write(image="stacks/web:latest")
    floating = site.execute("Drift", FAIL="true")
    assert (floating.code, floating.outputs["floating"]) == (3, ["app"])


def test_an_image_that_changed_in_the_registry_is_pulled(deployed):
    site = deployed
    with site.engine.registry() as registry:
        name = f"{registry}/web:stable"
        first, second = (image(site.engine, one) for one in ("v1", "v2"))
        for one in (first, second):
            site.engine.docker("image", "tag", one, name)
            site.engine.docker("push", name)
            site.engine.docker("image", "rm", name)
            if one == first:
                site.write(image=name, more="")
                assert site.execute("Rollout").code == 0
                assert site.images() == [first]
        done = site.execute("Rollout")
        assert done.code == 0, done.text
        assert site.images() == [second]
    old = site.containers()
    refused = site.execute("Rollout")
    assert (refused.code, refused.outputs["outcome"]) == (REFUSED, "refused"), refused.text
    assert site.containers() == old


def test_a_backup_is_restored_exactly(site):
    # Whom the image's processes run as has nothing to do with whom the files belong to.
    site.offer("not-root", more=("USER 1234:1234",))
    assert site.execute("Rollout").code == 0
    inside(site, MAKE)
    before = inside(site, LIST)
    saved = site.execute("Backup")
    assert saved.code == 0, saved.text
    inside(site, SPOIL)
    assert inside(site, LIST) != before

    done = site.execute("Restore", "--confirm", "web", BACKUP=saved.outputs["backup"])
    assert (done.code, done.outputs["outcome"]) == (0, "committed"), done.text
    assert inside(site, LIST) == before

    again = site.execute("Restore", "--confirm", "web", BACKUP=done.outputs["safety_backup"])
    assert again.code == 0, again.text
    assert "extra" in inside(site, LIST)


def test_a_restore_that_is_killed_while_it_writes_is_undone(deployed):
    site = deployed
    inside(site, "dd if=/dev/zero of=/data/large bs=1M count=50 2>/dev/null")
    before = inside(site, LIST)
    saved = site.execute("Backup")
    inside(site, "echo newer > /data/file")
    newer = inside(site, LIST)
    assert newer != before

    def is_writing():
        label = ["--filter", "label=runbook.volume=web_data"]
        return not site.containers() and site.engine.out("ps", "--all", "--quiet", *label)

    backup = saved.outputs["backup"]
    kill_once(site, "Restore", is_writing, "--confirm", "web", BACKUP=backup)
    # Whether its helper container is left, depends on the moment: so another one is.
    mount = "type=volume,source=web_data,target=/runbook-volume"
    words = ["--label", "runbook.volume=web_data", "--mount", mount, site.reference, "true"]
    helper = site.engine.out("create", *words)
    assert site.status().outputs["half_done"] == ["web"]
    done = site.execute("Recover")
    assert (done.code, done.outputs["outcome"]) == (0, "reverted"), done.text
    assert inside(site, LIST) == newer
    assert helper not in site.engine.out("ps", "--all", "--quiet", "--no-trunc").split()


def test_a_damaged_backup_is_refused(deployed):
    site = deployed
    saved = site.execute("Backup")
    (archive,) = site.state.rglob("*.tar")
    archive.write_bytes(archive.read_bytes()[:-600] + b"x" * 600)
    before = site.containers()
    done = site.execute("Restore", "--confirm", "web", BACKUP=saved.outputs["backup"])
    assert (done.code, done.outputs["reason"]) == (REFUSED, "truncated")
    assert site.containers() == before


def test_a_commit_that_is_not_healthy_goes_from_the_folder_too(deployed, tmp_path):
    site = deployed
    good = publish(site, tmp_path)
    (site.folder / "compose.yaml").write_text("")  # not committed
    dirty = site.execute("RolloutGit")
    assert (dirty.code, dirty.outputs["reason"]) == (REFUSED, "conflict")
    git(site.folder, "checkout", "--", ".")

    site.write(more="    environment: [NEW=1]\n    pull_policy: never")
    better = commit(site.folder)
    git(site.folder, "reset", "--hard", good)
    before = site.everything()
    planned = site.execute("RolloutGit", "--dry-run")
    assert (planned.code, planned.outputs["differs"]) == (0, ["app"]), planned.text
    assert site.everything() == before
    assert git(site.folder, "rev-parse", "HEAD") == good
    done = site.execute("RolloutGit")
    assert (done.code, done.outputs["commit"]) == (0, better), done.text
    assert git(site.folder, "rev-parse", "HEAD") == better

    site.write(more=WRONG_PROBE)
    commit(site.folder)
    git(site.folder, "reset", "--hard", better)
    broken = site.execute("RolloutGit")
    assert (broken.code, broken.outputs["reason"]) == (REVERTED, "unhealthy"), broken.text
    assert git(site.folder, "rev-parse", "HEAD") == better
    assert site.execute("Drift").outputs["differs"] == []
