"""The catalogue: what it offers, and that an archive is the one that it pins."""

import hashlib
import json

import pytest

from hostile_zips import zipped
from http_files import serving
from runbook.core.toolkit import ToolkitOrigin
from runbook.errors import CatalogueError, ConflictError, NotFoundError, ToolkitRefusedError
from runbook.toolkits.catalogue import Catalogue, Offer, Reading, read_offers
from toolkit_site import ANN, Site


def archive(slug="lab", version="2.0.0"):
    text = f"slug: {slug}\nname: Lab\nversion: {version}\n"
    return zipped(("toolkit.yaml", text.encode()), ("README.md", b"# Lab\n"))


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    site.published = tmp_path / "published"
    site.published.mkdir()
    site.catalogue = Catalogue(
        str(site.published / "catalogue.json"), tmp_path / "toolkits.catalogue", lambda: 7
    )
    site.toolkits = site.made_of(catalogue=site.catalogue)
    site.installed()
    yield site
    site.store.close()


def publish(site, content=None, **changed):
    content = archive() if content is None else content
    (site.published / "lab.zip").write_bytes(content)
    offer = {
        "slug": "lab",
        "version": "2.0.0",
        "archive": "lab.zip",
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    text = json.dumps({"toolkits": [offer | changed]})
    (site.published / "catalogue.json").write_text(text)


def offered(site):
    return site.toolkits.list(ANN)[0].update


def test_an_update_is_offered_and_only_installed_when_asked_for(site):
    publish(site)
    assert offered(site) is None
    assert site.toolkits.check_for_updates(ANN).checked_at == 7
    update = offered(site)
    assert (update.version, update.origin) == ("2.0.0", ToolkitOrigin.CATALOGUE)
    assert site.store.toolkits.get("lab").version == "1.0.0"
    made = site.toolkits.update("lab", ANN)
    assert (made.version, made.origin) == ("2.0.0", ToolkitOrigin.CATALOGUE)
    assert offered(site) is None
    with pytest.raises(ConflictError):
        site.toolkits.update("lab", ANN)


@pytest.mark.parametrize(
    ("changed", "content", "reason"),
    [
        ({"sha256": "0" * 64}, None, "checksum"),
        ({}, archive(version="2.0.1"), "other_toolkit"),
        ({}, archive(slug="other"), "other_toolkit"),
        ({}, b"no zip", "not_a_zip"),
    ],
)
def test_another_archive_is_refused(site, changed, content, reason):
    publish(site, content, **changed)
    site.toolkits.check_for_updates(ANN)
    with pytest.raises(ToolkitRefusedError) as caught:
        site.toolkits.update("lab", ANN)
    assert caught.value.details["reason"] == reason
    assert site.store.toolkits.get("lab").version == "1.0.0"


@pytest.mark.parametrize("changed", [{"version": "1.0.0"}, {"engine": ">=2"}, {"slug": "other"}])
def test_what_is_not_offered(site, changed):
    publish(site, **changed)
    site.toolkits.check_for_updates(ANN)
    assert offered(site) is None


def test_a_newer_bundled_version_wins(site):
    publish(site)
    site.toolkits.check_for_updates(ANN)
    site.make(where="bundled", version="2.1.0")
    assert offered(site).origin is ToolkitOrigin.BUNDLED


def test_a_failure_is_shown_and_keeps_what_was_read(site):
    publish(site)
    site.toolkits.check_for_updates(ANN)
    (site.published / "catalogue.json").write_text("[")
    with pytest.raises(CatalogueError):
        site.toolkits.check_for_updates(ANN)
    known = site.toolkits.catalogue()
    assert (known.checked_at, len(known.offers), bool(known.problem)) == (7, 1, True)


def test_without_a_catalogue(site):
    site.toolkits = site.made_of()
    assert site.toolkits.catalogue() is None
    with pytest.raises(NotFoundError):
        site.toolkits.check_for_updates(ANN)


GOOD = {"slug": "lab", "version": "2.0.0", "archive": "lab.zip", "sha256": "0" * 64}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"toolkits": {}, "toolkits": 1}',
        '{"toolkits": ["lab"]}',
        "[" * 100_000,
        *(
            json.dumps({"toolkits": [GOOD | changed]})
            for changed in (
                {"slug": "../lab"},
                {"version": "two"},
                {"version": 2},
                {"version": "9" * 5000},
                {"slug": ["lab"]},
                {"archive": 1},
                {"archive": "\0"},
                {"archive": "http://["},
                {"archive": "\ud800"},
                {"sha256": ["0" * 64]},
                {"engine": [">=0"]},
                {"engine": None},
                {"engine": ">=" + "9" * 5000},
                {"sha256": "abc"},
                {"engine": "new"},
            )
        ),
    ],
)
def test_invalid_catalogues(text):
    with pytest.raises(CatalogueError):
        read_offers(text.encode())


def test_over_http(site, tmp_path):
    publish(site)
    with serving(site.published) as url:
        remote = Catalogue(f"{url}/catalogue.json", tmp_path / "other", lambda: 8)
        site.toolkits = site.made_of(catalogue=remote)
        site.toolkits.check_for_updates(ANN)
        assert site.toolkits.update("lab", ANN).version == "2.0.0"


def test_what_an_earlier_version_kept_is_checked(site):
    publish(site)
    site.catalogue.check()
    memory = site.folder / "toolkits.catalogue"
    kept = json.loads(memory.read_text())
    kept["offers"][0]["engine"] = [">=0"]
    memory.write_text(json.dumps(kept))
    assert site.catalogue.known() == Reading()
    assert offered(site) is None


def test_an_archive_outside_the_catalogues_folder(site):
    (site.folder / "lab.zip").write_bytes(archive())
    publish(site, archive="../lab.zip")
    site.toolkits.check_for_updates(ANN)
    with pytest.raises(CatalogueError):
        site.toolkits.update("lab", ANN)


def test_suitable_engines():
    assert Offer("lab", "1", "a", "b").suits("0.1")
