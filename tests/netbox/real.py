"""A real NetBox, for `make test-netbox`: with PostgreSQL and Redis of this machine, on loopback.

Installing it and migrating its database take minutes, so both are kept in NETBOX_CACHE, by default
.cache/netbox. `python tests/netbox/real.py --prepare` does only that.

NETBOX_PYTHON is the interpreter, Python 3.12 or newer. Without it: the first that is found among
python3, python3.14, python3.13 and python3.12, and then those of pyenv.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from databases import Server, programs
from patience import PATIENCE_S
from ports import free_port

VERSION = "4.7.3"
ROOT = Path(__file__).parents[2]
CACHE = Path(os.environ.get("NETBOX_CACHE", ROOT / ".cache" / "netbox"))
VENV = CACHE / "venv"
DUMP = CACHE / f"netbox-{VERSION}.dump"
OLD_TOKEN = "0123456789abcdef0123456789abcdef01234567"
PEPPER = "a pepper of the tests that is longer than fifty characters"
MIGRATION_S = 3600

CONFIGURATION = """
ALLOWED_HOSTS = ["*"]
DATABASES = {{"default": {{
    "ENGINE": "django.db.backends.postgresql",
    "NAME": "netbox", "USER": "runbook", "PASSWORD": "", "HOST": {socket!r}, "PORT": "",
}}}}
REDIS = {{
    name: {{"HOST": "127.0.0.1", "PORT": {redis}, "PASSWORD": "", "DATABASE": n, "SSL": False}}
    for n, name in enumerate(("tasks", "caching"))
}}
SECRET_KEY = "a secret key of the tests that is longer than fifty characters"
API_TOKEN_PEPPERS = {{1: {pepper!r}}}
CENSUS_REPORTING_ENABLED = False
RELEASE_CHECK_URL = None
"""

# The token of version 2 is shown only when it's made, so it's made at every start.
MAKE_TOKENS = """
from users.models import Token, User
user, _ = User.objects.get_or_create(username="tests", is_superuser=True, is_active=True)
Token.objects.filter(user=user).delete()
Token(user=user, version=1, token={old!r}).save()
new = Token(user=user, version=2)
new.save()
print("TOKEN", f"nbt_{{new.key}}.{{new.token}}")
"""


class NotAvailableError(Exception):
    """Why there is no NetBox on this machine, and what to do."""


@dataclass(frozen=True)
class NetBox:
    """`old_token` is of version 1, `token` of version 2."""

    url: str
    token: str
    old_token: str = OLD_TOKEN


def find_python():
    asked = os.environ.get("NETBOX_PYTHON")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    named = ["python3", "python3.14", "python3.13", "python3.12"]
    found = sorted(pyenv.glob("versions/3.*/bin/python"), key=_version_of)
    for candidate in [asked] if asked else [*named, *map(str, found)]:
        check = "import sys; sys.exit(sys.version_info < (3, 12))"
        with contextlib.suppress(OSError):
            if (
                subprocess.run(
                    [candidate, "-c", check], capture_output=True, check=False
                ).returncode
                == 0
            ):
                return candidate
    raise NotAvailableError(
        f"NetBox {VERSION} needs Python 3.12 or newer"
        + (f", which NETBOX_PYTHON={asked} isn't. " if asked else ", and none was found. ")
        + "Install it, for example with pyenv install 3.12, or set NETBOX_PYTHON to its path"
    )


def _version_of(path):
    return [int(number) for number in re.findall(r"\d+", path.parents[1].name)]


def check_programs():
    if programs() is None or shutil.which("redis-server") is None:
        raise NotAvailableError(
            "PostgreSQL or Redis is missing. Install them: apt-get install postgresql redis-server"
        )


def install():
    """Install NetBox into the cache, unless it is there."""
    done = VENV / f"installed-{VERSION}"
    if done.exists():
        return
    print(f"installing NetBox {VERSION} into {VENV} (some 550 MB)", flush=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    subprocess.run([find_python(), "-m", "venv", VENV], check=True)
    pip = [VENV / "bin/python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, f"netbox=={VERSION}"], check=True)
    done.touch()


@contextmanager
def running():
    """A NetBox with a database of its own, migrated and otherwise empty."""
    check_programs()
    install()
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="netbox-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o711)
        database = folder / "pg"
        database.mkdir()
        server = Server(database, wal_level="replica")
        stack.callback(server.remove)
        server.start()
        redis_port = stack.enter_context(_redis(folder))
        site = _Site(folder / "site", database, redis_port)
        _fill(server, site)
        yield stack.enter_context(site.serving())


def _fill(server, site):
    with server.connected() as connection:
        connection.execute("CREATE DATABASE netbox TEMPLATE template0")
    if DUMP.exists():
        _postgres("pg_restore", "--no-owner", f"--dbname={server.url('netbox')}", DUMP)
        return
    print("migrating the database of NetBox (minutes; it is kept for the next time)", flush=True)
    site.manage("migrate", timeout=MIGRATION_S)
    unfinished = DUMP.with_suffix(".unfinished")
    _postgres("pg_dump", "--format=custom", f"--file={unfinished}", server.url("netbox"))
    unfinished.rename(DUMP)


def _postgres(program, *arguments):
    subprocess.run([programs() / program, *arguments], check=True)


@contextmanager
def _redis(folder):
    port = free_port()
    with (folder / "redis.log").open("wb") as log:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        process = subprocess.Popen(["redis-server", *options], stdout=log, stderr=log)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


class _Site:
    """The folder with NetBox's configuration."""

    def __init__(self, folder, database, redis_port):
        self._folder = folder
        settings = CONFIGURATION.format(socket=str(database), redis=redis_port, pepper=PEPPER)
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder.parent),
            "TMPDIR": tempfile.gettempdir(),
            "NETBOX_ROOT": str(folder),
        }
        self._netbox = VENV / "bin" / "netbox"
        subprocess.run(
            [self._netbox, "setup", "--target", folder],
            env=self._environment,
            check=True,
            capture_output=True,
            timeout=PATIENCE_S * 4,
        )
        (configuration,) = folder.rglob("configuration.py")
        configuration.write_text(settings)

    def manage(self, *arguments, timeout=PATIENCE_S * 8, **options):
        done = subprocess.run(
            [self._netbox, *arguments],
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            **options,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    @contextmanager
    def serving(self):
        said = self.manage("shell", "-c", MAKE_TOKENS.format(old=OLD_TOKEN))
        token = re.search(r"TOKEN (nbt_\S+)", said)[1]
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        log = self._folder / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [self._netbox, "runserver", "--noreload", f"127.0.0.1:{port}"],
                env=self._environment,
                cwd=self._folder,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
            )
        try:
            _wait_for(url, process, log)
            yield NetBox(url, token)
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def _wait_for(url, process, log):
    import httpx

    deadline = time.monotonic() + PATIENCE_S * 4
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/api/", timeout=10).status_code in (200, 403):
                return
        time.sleep(0.1)  # the only sign of readiness is the answer itself
    raise AssertionError(log.read_text()[-4000:])


if __name__ == "__main__":
    try:
        with running() as netbox:
            print(f"NetBox {VERSION} is ready: it answered at {netbox.url}")
            if "--prepare" not in sys.argv:
                print(f"Token: {netbox.token}\nPress Enter to end it", flush=True)
                sys.stdin.readline()
    except NotAvailableError as missing:
        sys.exit(str(missing))
