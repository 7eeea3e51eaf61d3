"""PostgreSQL for the tests: one server for a whole run of pytest, started by the first that asks.

The processes of a run share it. It lives in a folder of TMPDIR, is reached by a socket there and
opens no port. `python databases.py FOLDER PID` guards it: when told to, or when process PID, whose
run it is, has ended in whatever way, the server ends and the folder goes.
"""

import fcntl
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

from patience import PATIENCE_S

MISSING = "missing: PostgreSQL; make setup-dev installs it"
ROLE = "runbook"
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    # A crash of the server loses nothing without them, and one of the machine ends the tests.
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}
# Sorts as the databases of people do: not by bytes, as SQLite does.
LOCALE = ("--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en")

# Some milliseconds, where a new database takes a hundred.
EMPTY = """
DO $$
DECLARE found name;
BEGIN
    SET LOCAL session_replication_role = replica; -- in any order, whatever points at what
    FOR found IN SELECT tablename FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    LOOP
        EXECUTE format('DELETE FROM %I', found);
    END LOOP;
    PERFORM setval(oid, 1, false) FROM pg_class WHERE relkind = 'S';
END $$
"""
DISCONNECT = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# One that a test has filled is not worth keeping.
MOST_BYTES = 16 * 1024 * 1024


def programs():
    """The folder of PostgreSQL's programs: POSTGRES_BIN, else Debian's newest, else on the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    on_path = (Path(folder) for folder in os.get_exec_path())
    for folder in (Path(os.environ.get("POSTGRES_BIN", "/nowhere")), *reversed(debian), *on_path):
        if (folder / "initdb").exists():
            return folder
    return None


def account():
    """Whose the server is: it refuses to be root's."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    with suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


def folder_of_run():
    """The server's folder of this run, the same one in all its processes."""
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    return Path(tempfile.gettempdir()) / f"pg-{os.getppid() if is_worker else os.getpid()}"


class Server:
    """A PostgreSQL with all that is its own in a folder that the server's account can reach."""

    def __init__(self, folder, **settings):
        self.folder = folder
        self._settings = SETTINGS | settings
        self._data = folder / "data"
        self._process = None
        self._idle = []

    def start(self):
        """Start it, also again after its end; returns when it answers."""
        if not self._data.exists():
            self._initialize()
        settings = {**self._settings, "unix_socket_directories": str(self.folder)}
        options = [word for item in settings.items() for word in ("-c", "=".join(item))]
        with (self.folder / "log").open("ab") as log:
            # It ends with us also where we cannot end it.
            self._process = subprocess.Popen(
                [*self._command("postgres", "--pdeathsig=QUIT"), *options],
                **self._surroundings(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.folder / "log").read_text())
            time.sleep(0.005)
        return self

    def stop(self):
        """End it at once, as a crash would: what was committed is there after a start."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(PATIENCE_S)
            self._process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder)

    def url(self, name):
        return f"postgresql://{ROLE}@/{name}?host={self.folder}"

    @contextmanager
    def connected(self, name="postgres"):
        """A connection that is in no transaction."""
        import psycopg

        with psycopg.connect(self.url(name), autocommit=True) as connection:
            yield connection

    @contextmanager
    def database(self, template="template0"):
        """The URL of a new database, a copy of `template`, for as long as a `with` takes."""
        name = self._create(template)
        try:
            yield self.url(name)
        finally:
            self._drop(name)

    @contextmanager
    def lent(self, template):
        """The URL of an empty copy of `template` that others have had before, and will have.

        Whoever changes more than rows takes a `database`.
        """
        name = self._idle.pop() if self._idle else self._create(template)
        try:
            yield self.url(name)
        finally:
            if self._emptied(name):
                self._idle.append(name)
            else:
                self._drop(name)

    def template(self, name, prepare):
        """Make a template once in a run: a new database that `prepare(url)` has filled."""
        exists = "SELECT FROM pg_database WHERE datname = %s"
        with locked(self.folder), self.connected() as connection:
            if connection.execute(exists, [name]).fetchone() is None:
                connection.execute("CREATE DATABASE unfinished TEMPLATE template0")
                prepare(self.url("unfinished"))
                connection.execute(f'ALTER DATABASE unfinished RENAME TO "{name}"')
        return name

    def _create(self, template):
        name = f"test_{uuid.uuid4().hex}"
        with self.connected() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def _drop(self, name):
        with self.connected() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _emptied(self, name):
        with self.connected(name) as connection:
            connection.execute(DISCONNECT)
            connection.execute(EMPTY)
            size = connection.execute("SELECT pg_database_size(current_database())").fetchone()
            return size[0] < MOST_BYTES

    def _initialize(self):
        owner = account()
        os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self.folder.chmod(0o700)
        options = [f"--username={ROLE}", "--auth=trust", "--no-sync", "--wal-segsize=1", *LOCALE]
        done = subprocess.run(
            [*self._command("initdb", "--pdeathsig=KILL"), *options],
            **self._surroundings(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _command(self, program, *privileges):
        owner = account()
        ids = (f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups")
        become = ids if os.geteuid() == 0 else ()
        program = (str(programs() / program), "-D", str(self._data))
        return ["setpriv", *become, *privileges, "--", *program]

    def _surroundings(self):
        # TMPDIR marks it as ours for whoever looks for what the tests left behind.
        environment = {"TMPDIR": tempfile.gettempdir(), "PATH": os.environ["PATH"]}
        return {"env": environment, "cwd": self.folder, "stdin": subprocess.DEVNULL}

    def _is_ready(self):
        """Whether the last line of its own notes says so; those of an earlier one do not count."""
        with suppress(FileNotFoundError):
            notes = (self._data / "postmaster.pid").read_text().split()
            return notes[:1] == [str(self._process.pid)] and notes[-1] == "ready"
        return False


@contextmanager
def locked(folder):
    """One process of the run at a time."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def shared_server():
    """The server of this run, which is started unless another process has done so."""
    folder = folder_of_run()
    folder.mkdir(mode=0o700, exist_ok=True)
    with locked(folder):
        if not (folder / "guard").exists():
            owner = folder.name.removeprefix("pg-")
            subprocess.run([sys.executable, __file__, folder, owner], check=True)
    return Server(folder)


def end_shared_server():
    """End what `shared_server` started, if it did; returns when nothing of it is left."""
    folder = folder_of_run()
    with suppress(FileNotFoundError, ProcessLookupError):
        guard = os.pidfd_open(int((folder / "guard").read_text()))
        signal.pidfd_send_signal(guard, signal.SIGTERM)
        select.select([guard], [], [], PATIENCE_S)
        os.close(guard)
    shutil.rmtree(folder, ignore_errors=True)


def guard(folder, owner):
    """Start a server; a process of its own, which this one leaves behind, ends it."""
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        return 0 if os.read(reading, 1) else 1
    os.setsid()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    server = Server(folder)
    try:
        owner_ends = os.pidfd_open(owner)
        server.start()
        (folder / "guard").write_text(str(os.getpid()))
        os.write(writing, b"!")
        os.close(writing)
        _let_go_of_terminal()
        select.select([owner_ends], [], [])
    finally:
        server.remove()
    return 0


def _let_go_of_terminal():
    """Whoever reads what pytest writes need not wait for us."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)


if __name__ == "__main__":
    sys.exit(guard(Path(sys.argv[1]), int(sys.argv[2])))
