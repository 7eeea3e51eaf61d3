"""Bundled toolkits that need nothing are enabled once."""

import pytest

from runbook.core.manifest import MANIFEST
from runbook.toolkits.defaults import install_defaults
from toolkit_site import ANN, Site


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    site.make(where="bundled")
    site.make(where="bundled", slug="pve", more="connections: [proxmox]\n")
    yield site
    site.store.close()


def started(site):
    return install_defaults(site.toolkits, ANN, site.folder / "toolkits.defaults")


def test_only_those_that_need_nothing(site):
    assert started(site) == ["lab"]
    assert site.refs(site.other) == ["lab/Job.md"]
    assert started(site) == []


@pytest.mark.parametrize("act", ["disable", "remove"])
def test_what_a_person_decided_stays(site, act):
    started(site)
    getattr(site.toolkits, act)("lab", ANN)
    assert started(site) == []
    assert site.refs(site.other) == []


def test_one_that_a_person_installed_is_left_alone(site):
    site.toolkits.install_bundled("lab", ANN)
    assert started(site) == []
    site.toolkits.remove("lab", ANN)
    assert started(site) == []


def test_a_name_that_is_taken_hides_no_other(site):
    (site.own / "lab").mkdir()
    site.make(where="bundled", slug="other")
    assert started(site) == ["other"]
    (site.own / "lab").rmdir()
    assert started(site) == ["lab"]
    assert (site.folder / "toolkits/lab" / MANIFEST).is_file()
