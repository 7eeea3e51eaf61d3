"""The build context of an image that holds runbooks."""

import hashlib
import io
import json
import os
import re
import tarfile

import pytest

from runbook.errors import RequestError
from runbook.images.context import DOCUMENTS, JOB, file_name, read_package

RUNBOOK = b"# A\n\n# Environment Requirements\n\n# History\n"


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "made"
    (made / "team").mkdir(parents=True)
    (made / "A.md").write_bytes(RUNBOOK + b"\n### 2026-01-01T00:00:00.000Z | Exit Code: 0\n")
    (made / "team/B.md").write_bytes(RUNBOOK)
    (made / "team/data.sh").write_bytes(b"\x00data")
    return made


def members(context):
    with tarfile.open(fileobj=io.BytesIO(context)) as archive:
        return {one.name: (one.mode, archive.extractfile(one).read()) for one in archive}


def labels(dockerfile):
    """The labels, as Docker reads them."""
    found = re.findall(r'^LABEL (\S+?)="((?:\\.|[^"\\])*)"$', dockerfile, re.MULTILINE)
    return {name: re.sub(r"\\(.)", r"\1", text) for name, text in found}


def test_it_has_all_files_without_histories(folder):
    found = members(read_package(folder, base="runbook").context())
    assert set(found) == {
        "Dockerfile",
        "runbooks/A.md",
        "runbooks/team/B.md",
        "runbooks/team/data.sh",
    }
    assert found["runbooks/A.md"] == (0o644, RUNBOOK)
    assert found["runbooks/team/data.sh"] == (0o644, b"\x00data")


def test_the_same_files_give_the_same_bytes(folder, tmp_path):
    first = read_package(folder, base="runbook").context()
    (folder / "A.md").write_bytes(RUNBOOK + b"\nanother history")
    os.utime(folder / "team/B.md", (1, 1))
    for name in (".hidden", "A.history", "__pycache__/a.pyc", ".git/config"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    assert read_package(folder, base="runbook").context() == first
    (folder / "team/data.sh").chmod(0o755)
    changed = read_package(folder, base="runbook").context()
    assert members(changed)["runbooks/team/data.sh"][0] == 0o755


def test_the_labels_have_the_digests_of_the_documents(folder):
    ref = 'team/"q" $X é.md'
    (folder / ref).write_bytes(RUNBOOK)
    made = read_package(folder, base="runbook", job=ref)
    found = labels(made.dockerfile())
    above = hashlib.sha256(RUNBOOK.removesuffix(b"# History\n")).hexdigest()
    assert json.loads(found[DOCUMENTS]) == dict.fromkeys(("A.md", "team/B.md", ref), above)
    assert found[JOB] == ref


def test_a_job_is_the_default_command(folder):
    lines = read_package(folder, base="team/base:1", job="team/B.md").dockerfile().splitlines()
    assert lines[0] == "FROM team/base:1"
    assert 'ENV JOB_RUNBOOK="team/B.md"' in lines
    assert lines[-1] == 'CMD ["runbook", "execute", "--runbook", "team/B.md"]'
    assert "HEALTHCHECK NONE" in lines
    assert not re.search("CMD|JOB", read_package(folder, base="b").dockerfile())


def _link(folder):
    (folder / "link.md").symlink_to("A.md")


def _fifo(folder):
    os.mkfifo(folder / "fifo")


def _bad_name(folder):
    (folder / "a\\b.md").write_bytes(RUNBOOK)


@pytest.mark.parametrize("spoil", [_link, _fifo, _bad_name])
def test_what_an_image_can_not_hold_as_it_is_refuses(folder, spoil):
    spoil(folder)
    with pytest.raises(RequestError):
        read_package(folder, base="runbook")


@pytest.mark.parametrize("base", ["", "-f", "a b", "a\nRUN x", "--help"])
def test_an_invalid_name_of_an_image_refuses(folder, base):
    with pytest.raises(RequestError):
        read_package(folder, base=base)


def test_without_runbooks_or_without_the_job_there_is_no_package(folder, tmp_path):
    (tmp_path / "README.md").write_text("# Readme\n")
    with pytest.raises(RequestError):
        read_package(folder, base="runbook", job="C.md")
    for path in folder.rglob("*.md"):
        path.unlink()
    with pytest.raises(RequestError):
        read_package(folder, base="runbook")


@pytest.mark.parametrize(
    ("tag", "name"), [("jobs", "jobs.tar"), ("host:5000/team/jobs:1.2", "jobs-1.2.tar")]
)
def test_the_name_of_the_file(tag, name):
    assert file_name(tag) == name
