"""The commands of docs/sre.md, in their order, on a host of their own.

An HTML comment before a block says if it isn't executed as it stands:

    <!-- not run: REASON -->
    <!-- instead: COMMAND
    because: REASON -->
    <!-- before: COMMAND -->

The commands of such comments are in guide_services.sh. Packages come from a folder that is filled
before, because the host has no network.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.prometheus import tools
from needs import need
from patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
GUIDE = (ROOT / "docs/sre.md").read_text()
CACHE = ROOT / ".cache" / "guide"
FENCE = re.compile(r"(?:<!-- ((?:(?!-->).)*) -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"(not run|instead|before): (.*?)(?:\nbecause: (.*))?", re.DOTALL)
PYTHON = "/usr/bin/python3"
NEEDED = ("zsh", "curl", "jq", "openssl", "nginx", "unshare", "setpriv", "systemd-analyze", PYTHON)


@dataclass
class Block:
    """What the guide has, and what is executed: nothing, or something else, for a reason."""

    number: int
    heading: str
    text: str
    run: str
    reason: str

    def __str__(self):
        return f"{self.number}-{self.heading}"


def blocks():
    found = []
    for number, match in enumerate(FENCE.finditer(GUIDE), 1):
        comment, language, text = match.groups()
        assert language == "sh", f"a block of {language or 'no language'}"
        headings = re.findall(r"^#{2,3} (.+)$", GUIDE[: match.start()], re.MULTILINE)
        run, reason = executed(comment, text)
        found.append(Block(number, headings[-1], text, run, reason))
    return found


def executed(comment, text):
    if not comment:
        return text, ""
    kind, what, reason = COMMENT.fullmatch(comment).groups()
    if kind == "not run":
        return "", what
    return (f"{what}\n{text}", "") if kind == "before" else (what, reason)


BLOCKS = blocks()


def test_what_is_not_executed_says_why():
    assert len(BLOCKS) > 20
    changed = [block for block in BLOCKS if block.text not in block.run]
    assert all(len(block.reason.split()) > 2 for block in changed)
    for block in changed:  # only what such a host can't do
        assert re.search(r"systemctl|^make ", block.text, re.MULTILINE), block


@pytest.fixture(scope="module")
def packages():
    """The folder of packages: what the wheel needs, to build and to install, and the installers."""
    CACHE.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()[:16]
    folder = CACHE / f"packages-{digest}"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            download(folder)
    return folder


def download(folder):
    print(f"downloading the packages for the commands of docs/sre.md into {folder}")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    wanted = [f"{ROOT}[postgres]", "hatchling>=1.27", "uv", "pipx", "pip"]
    subprocess.run([*pip, "--python", PYTHON, "download", "-d", folder, *wanted], check=True)
    for ours in folder.glob("runbook_engine-*"):
        ours.unlink()
    subprocess.run([sys.executable, "-m", "venv", folder / "tools"], check=True)
    inside = [folder / "tools/bin/python", *pip[1:], "install", "--no-index", "--find-links"]
    subprocess.run([*inside, folder, "uv", "pipx"], check=True)
    (folder / "complete").touch()


@pytest.fixture(scope="module")
def checkout():
    """What is in the repository, and the web app if it is built. The host hides /tmp."""
    place = CACHE / f"checkout-{os.getpid()}"
    shutil.rmtree(place, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file() and not name.startswith(("tests/", "src/web/")):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, place / name)
    static = Path("src/runbook/api/static")
    if (ROOT / static).is_dir():
        shutil.copytree(ROOT / static, place / static)
    yield place
    for left in CACHE.glob(f"{place.name}*"):
        shutil.rmtree(left, ignore_errors=True)


@pytest.fixture(scope="module")
def transcript(checkout, packages, tmp_path_factory):
    """What the commands printed, by the number of the block, and the number of the last one."""
    need(os.geteuid() == 0, "root, to make a host for the commands")
    for program in NEEDED:
        need(shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin"), program)
    script = tmp_path_factory.mktemp("script")
    parts = ["set -euo pipefail", (HERE / "guide_services.sh").read_text()]
    for block in BLOCKS:
        parts += [f"printf '\\n#### {block.number}\\n'", block.run]
    (script / "script.sh").write_text("\n".join([*parts, r"printf '\n#### 0\n'", "exit 0"]))
    done = subprocess.run(
        [HERE / "guide_host.sh", checkout, script],
        env=environment(packages),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=20 * PATIENCE_S,
        check=False,
    )
    parts = re.split(r"^#### (\d+)\n", done.stdout, flags=re.MULTILINE)
    said = {}
    for number, text in zip(parts[1::2], parts[2::2]):
        said[int(number)] = said.get(int(number), parts[0]) + text
    return said, done.stdout


def environment(packages):
    folders = (packages / "tools/bin", tools(), "/usr/local/sbin", "/usr/local/bin")
    return {
        "PATH": ":".join([*map(str, folders), "/usr/sbin", "/usr/bin", "/sbin", "/bin"]),
        "HOME": "/root/new-home",
        "LANG": "C.UTF-8",
        "UV_FIND_LINKS": str(packages),
        "UV_NO_INDEX": "1",
        "UV_OFFLINE": "1",
        "UV_NO_CONFIG": "1",
        "UV_CACHE_DIR": "/tmp/uv",
        "UV_PYTHON_DOWNLOADS": "never",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(packages),
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


@pytest.mark.timeout(30 * PATIENCE_S)
@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_can_be_executed(transcript, block):
    said, whole = transcript
    reached = max(said, default=0) if 0 not in said else len(BLOCKS) + 1
    if block.number > reached:
        pytest.fail(f"not reached: block {reached} failed")
    if block.number == reached:
        pytest.fail(f"{block.run}\n{said[reached][-4000:] or whole[-4000:]}")
