"""The systemd units are valid, and as confined as docs/sre.md says."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from needs import need

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "systemd"
GUIDE = (ROOT / "docs/sre.md").read_text()
ROW = re.compile(r"^\| (?:with )?`([\w./-]+)` \| (\d\.\d) \|", re.MULTILINE)
EXPOSURES = dict(ROW.findall(GUIDE))


@pytest.fixture
def unit(tmp_path):
    """Copies a unit, or a drop-in with its unit, to where systemd-analyze finds both."""
    need(shutil.which("systemd-analyze"), "systemd-analyze")

    def copied(name):
        folder = tmp_path / "units"
        (folder / "runbook.service.d").mkdir(parents=True)
        if name.startswith("drop-ins/"):
            shutil.copy(UNITS / name, folder / "runbook.service.d")
            name = "runbook.service"
        return Path(shutil.copy(UNITS / name, folder))

    return copied


def analyze(*words):
    done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_guide_rates_every_service():
    files = [path.relative_to(UNITS) for path in UNITS.rglob("*") if path.is_file()]
    confined = {str(path) for path in files if path.suffix in {".service", ".conf"}}
    assert EXPOSURES.keys() == confined


@pytest.mark.parametrize("name", EXPOSURES)
def test_a_service_is_as_confined_as_the_guide_says(unit, name):
    _, said = analyze("security", "--offline=true", "--no-pager", unit(name))
    (exposure,) = re.findall(r"exposure level for .*: (\d+\.\d)", said)
    assert exposure == EXPOSURES[name]


@pytest.mark.parametrize("name", [*EXPOSURES, "runbook-backup.timer"])
def test_systemd_accepts_a_unit(unit, name, tmp_path):
    path = unit(name)
    if name.endswith(".timer"):
        shutil.copy(UNITS / "runbook-backup.service", path.parent)
    for service in path.parent.glob("*.service"):
        # It must be there for the check.
        service.write_text(service.read_text().replace("/usr/local/bin/runbook", "/bin/true"))

    code, said = analyze("verify", "--man=no", path)

    assert code == 0, said
    assert not [line for line in said.splitlines() if str(path.parent) in line], said


def test_the_filter_allows_what_bubblewrap_needs():
    need(shutil.which("systemd-analyze"), "systemd-analyze")
    text = (UNITS / "runbook.service").read_text()
    (filters,) = re.findall(r"^SystemCallFilter=(.*)$", text, re.MULTILINE)
    allowed = set().union(*(calls(name) for name in filters.split()))
    assert {"mount", "umount2", "pivot_root", "unshare", "clone", "setns", "prctl"} <= allowed
    assert not {"reboot", "init_module", "kexec_load", "swapon", "settimeofday"} & allowed
    (namespaces,) = re.findall(r"^RestrictNamespaces=(.*)$", text, re.MULTILINE)
    assert {"user", "pid", "ipc", "mnt"} <= set(namespaces.split())


def calls(name):
    """The system calls of a set, also of the sets in it."""
    _, said = analyze("syscall-filter", name)
    listed = [line.strip() for line in said.splitlines()[1:] if not line.strip().startswith("#")]
    return set().union(*(calls(one) if one.startswith("@") else {one} for one in listed if one))


def test_the_service_stops_as_slowly_as_its_runs_drain():
    text = (UNITS / "runbook.service").read_text()
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    from runbook.settings import Settings

    assert int(seconds) >= Settings.load({}).drain_seconds + 15
    assert "KillMode=mixed" in text
