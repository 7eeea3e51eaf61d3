from contextlib import closing

import pytest

from pve import running_lab
from runbook.connectors.proxmox import Proxmox


@pytest.fixture
def lab(tmp_path):
    with running_lab(tmp_path) as lab:
        yield lab


@pytest.fixture
def pve(lab):
    with closing(Proxmox("lab", lab.values)) as pve:
        yield pve


@pytest.fixture
def said(tmp_path, monkeypatch):
    """The lines of progress and of the plan that the script writes."""
    for name in ("PROGRESS", "PLAN"):
        monkeypatch.setenv(f"RUNBOOK_{name}", str(tmp_path / name))

    def lines(name):
        path = tmp_path / name
        return path.read_text().splitlines() if path.exists() else []

    return lines
