"""Starts an engine, and removes what is left of it."""

import fcntl
import io
import json
import os
import select
import signal
import socket
import subprocess
import tarfile
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from docker_engine.certificates import Authority
from docker_engine.link import linked
from docker_engine.missing import NotAvailableError
from docker_engine.packages import unpacked
from docker_engine.scratch import remove_groups, scratch

LOCK = "TEST_DOCKER_LOCK"
"""Names a file to lock while an engine runs, on a machine where only one may."""
READY_S = 60.0
TLS_PORT = 2376
REGISTRY = "127.0.0.1:5000"
DRIVERS = ("overlay2", "vfs")
NAMESPACES = ("--mount", "--pid", "--net", "--fork", "--kill-child=KILL", "--mount-proc")
# If this process is killed, the engine ends, too.
WITH_US = ("setpriv", "--pdeathsig", "KILL")
# All that the engine writes outside of its folders ends with the mount namespace.
INIT = """\
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /opt
mount -t overlay overlay -o lowerdir=/etc,upperdir="$1/etc",workdir="$1/etc-work" /etc || true
echo ready
read -r address
exec tini-static -- "$2/start" "$address"
"""
START = """\
#!/bin/sh
exec dockerd --config-file "{folder}/daemon.json" --data-root "{folder}/data" \\
    --exec-root "{folder}/exec" --pidfile "{folder}/pid" --storage-driver {driver} \\
    --cgroup-parent /{name} --default-ulimit nofile=1024:1024 \\
    --bip 10.213.0.1/24 --default-address-pool base=10.213.0.0/16,size=24 \\
    --tlsverify --tlscacert "{tls}/ca.pem" --tlscert "{tls}/server.pem" \\
    --tlskey "{tls}/server-key.pem" --host "unix://{folder}/docker.sock" \\
    --host "tcp://$1:{port}" >>"{folder}/log" 2>&1
"""


class Engine:
    """`environment` is that of a client; `address` is where published ports are reached."""

    def __init__(self, folder, programs):
        self.folder = folder
        self.name = folder.name
        self.socket = folder / "docker.sock"
        self.host = f"unix://{self.socket}"
        self.programs = programs
        self.address = None
        self.pid = None
        """Of the first process in its namespaces."""
        self.authority = Authority(folder / "tls")
        self.environment = {
            "PATH": f"{folder}/bin:{programs}/root/usr/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(folder),
            "DOCKER_CONFIG": str(folder / "config"),
            "DOCKER_HOST": self.host,
        }

    @property
    def client(self):
        """The path of the Docker CLI, which has the plugin for Compose with `environment`."""
        return str(self.programs / "root/usr/bin/docker")

    @property
    def tls_host(self):
        """Its address with TLS; `authority` has the files `ca`, `client` and `client-key`."""
        return f"tcp://{self.address}:{TLS_PORT}"

    @property
    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def docker(self, *arguments, check=True, **more):
        """Runs the Docker CLI; fails with what it says."""
        command = [self.client, *map(str, arguments)]
        given = {"capture_output": True, "text": True, "env": self.environment, **more}
        done = subprocess.run(command, check=False, **given)
        if check and done.returncode:
            raise AssertionError(f"docker {arguments}: {done.returncode}: {done.stderr}")
        return done

    def out(self, *arguments):
        return self.docker(*arguments).stdout.strip()

    def inside(self, *command):
        """The arguments that run a command with the engine's network and mounts."""
        target = ["--target", str(self.pid), "--mount", "--net"]
        return ["nsenter", *target, "--", *map(str, command)]

    def busybox(self, name, files=(), *, command=("sleep", "infinity"), more=()):
        """Makes a small image: BusyBox, and `files` as a mapping of paths to texts.

        `more` are instructions such as "HEALTHCHECK CMD test -e /ok". Returns its ID.
        """
        # As process 1, BusyBox would ignore the signal that asks it to end.
        entry = 'ENTRYPOINT ["/bin/tini", "--"]'
        instructions = [entry, f"CMD {_json(command)}", *more]
        options = [option for one in instructions for option in ("--change", one)]
        archive = _archive(self.programs / "root", dict(files))
        arguments = ["import", *options, "-", name]
        done = self.docker(*arguments, input=archive, text=False)
        return done.stdout.decode().strip()

    @contextmanager
    def registry(self):
        """A registry that the engine reaches as REGISTRY, as long as a `with` takes."""
        folder = self.folder / "registry"
        folder.mkdir(exist_ok=True)
        configuration = folder / "config.yml"
        configuration.write_text(
            "version: 0.1\nlog: {level: info}\n"
            f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
            f"http: {{addr: '{REGISTRY}'}}\n"
        )
        program = self.programs / "root/usr/bin/docker-registry"
        command = self.inside(program, "serve", configuration)
        started = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        drain = threading.Thread(target=started.stderr.read)
        try:
            said = next((line for line in started.stderr if b"listening on" in line), None)
            if said is None:
                raise AssertionError("The registry didn't start")
            drain.start()
            yield REGISTRY
        finally:
            started.kill()
            started.wait()
            if drain.ident is not None:
                drain.join()
            started.stderr.close()


@contextmanager
def running(*, egress=False, drivers=DRIVERS):
    """An engine, as long as a `with` takes. Raises NotAvailableError if none can run here.

    With `egress`, containers and builds reach what this machine reaches.
    """
    if os.geteuid() != 0:
        raise NotAvailableError("Docker Engine needs root")
    programs = unpacked()
    with _one_at_a_time(), scratch() as folder:
        for name in ("etc", "etc-work", "bin"):
            (folder / name).mkdir()
        engine = Engine(folder, programs)
        for driver in drivers:
            with ExitStack() as stack:
                try:
                    stack.enter_context(_started(engine, driver, egress=egress))
                except NotAvailableError:
                    if driver == drivers[-1]:
                        raise
                    continue
                yield engine
                return


@contextmanager
def _one_at_a_time():
    file = os.environ.get(LOCK)
    if not file:
        yield
        return
    with open(file, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _started(engine, driver, *, egress):
    folder = engine.folder
    _prepare(engine, driver)
    command = [*WITH_US, "unshare", *NAMESPACES, "sh", "-c", INIT, "init", folder, folder]
    with ExitStack() as stack:
        notices = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        (folder / "notices").unlink(missing_ok=True)
        notices.bind(str(folder / "notices"))
        log = stack.enter_context((folder / "log").open("ab"))
        outer = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=_of_daemon(engine),
        )
        stack.callback(_end, engine, outer)
        if outer.stdout.readline() != "ready\n":
            raise NotAvailableError(f"No namespaces: {engine.log[-1000:]}")
        engine.pid = _first_child(outer.pid)
        link = stack.enter_context(linked(engine.pid, _iptables(engine), egress=egress))
        engine.address = link.there
        engine.authority.server("server", link.there)
        outer.stdin.write(f"{link.there}\n")
        outer.stdin.close()
        _await_ready(engine, outer, notices)
        stack.callback(_remove_containers, engine)
        yield


def _prepare(engine, driver):
    folder = engine.folder
    (folder / "daemon.json").write_text("{}")
    tls = folder / "tls"
    start = START.format(folder=folder, driver=driver, name=engine.name, tls=tls, port=TLS_PORT)
    (folder / "start").write_text(start)
    (folder / "start").chmod(0o755)
    engine.authority.client("client")
    root = engine.programs / "root"
    for version in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            target = root / f"usr/sbin/{version}-nft{suffix}"
            (folder / f"bin/{version}{suffix}").unlink(missing_ok=True)
            (folder / f"bin/{version}{suffix}").symlink_to(target)
    (folder / "config").mkdir(exist_ok=True)
    if not (folder / "config/cli-plugins").exists():
        (folder / "config/cli-plugins").symlink_to(engine.programs / "cli-plugins")


def _of_daemon(engine):
    root = engine.programs / "root"
    (libraries,) = {path.parent for path in root.glob("usr/lib/*/libxtables.so.*")}
    own = f"{engine.folder}/bin:{root}/usr/sbin:{root}/usr/bin"
    return {
        "PATH": f"{own}:/usr/sbin:/usr/bin:/sbin:/bin",
        "LD_LIBRARY_PATH": str(libraries),
        "XTABLES_LIBDIR": str(libraries / "xtables"),
        "NOTIFY_SOCKET": str(engine.folder / "notices"),
        "TMPDIR": str(engine.folder),
        "HOME": str(engine.folder),
    }


def _iptables(engine):
    def run(*arguments):
        program = engine.folder / "bin/iptables"
        given = {"capture_output": True, "text": True, "env": _of_daemon(engine)}
        done = subprocess.run([program, *arguments], check=False, **given)
        if done.returncode:
            raise NotAvailableError(f"iptables {arguments}: {done.stderr.strip()}")

    return run


def _first_child(pid):
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _await_ready(engine, outer, notices):
    """It says so itself, as to systemd; or its output ends, because it has ended."""
    until = select.poll()
    until.register(notices, select.POLLIN)
    until.register(outer.stdout, select.POLLIN | select.POLLHUP)
    while True:
        events = dict(until.poll(READY_S * 1000))
        if not events or outer.stdout.fileno() in events:
            what = "ended" if events else f"wasn't ready after {READY_S:g} s"
            raise NotAvailableError(f"Docker Engine {what}: {engine.log[-2000:]}")
        if b"READY=1" in notices.recv(4096):
            break
    if engine.docker("version", check=False).returncode:
        raise NotAvailableError(f"Docker Engine doesn't answer: {engine.log[-2000:]}")


def _remove_containers(engine):
    left = engine.docker("ps", "--all", "--quiet", check=False).stdout.split()
    if left:
        engine.docker("rm", "--force", "--volumes", *left, check=False)


def _end(engine, outer):
    """The end of the first process of the namespaces is that of all others, and of the namespaces.

    The outer process waits for it.
    """
    if engine.pid is None:
        outer.kill()
    else:
        with suppress(ProcessLookupError):  # an interrupt of the terminal has ended it, too
            os.kill(engine.pid, signal.SIGKILL)
        engine.pid = None
    outer.wait()
    for stream in (outer.stdin, outer.stdout):
        stream.close()
    remove_groups(engine.name)


def _json(words):
    return json.dumps(list(words))


def _archive(root, files):
    """A root file system as tar: tini, BusyBox with its commands, and the files."""
    busybox = root / "bin/busybox"
    listed = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in ("bin", "etc", "tmp", "root"):
            archive.addfile(_entry(folder, tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755))
        archive.add(busybox, "bin/busybox")
        archive.add(root / "usr/bin/tini-static", "bin/tini")
        for command in listed.stdout.split():
            if command != "busybox":
                link = _entry(f"bin/{command}", tarfile.SYMTYPE)
                link.linkname = "busybox"
                archive.addfile(link)
        passwd = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/group": "root:x:0:\n"}
        for path, text in {**passwd, **files}.items():
            content = text.encode()
            entry = _entry(path.lstrip("/"), tarfile.REGTYPE)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _entry(name, kind, mode=0o755):
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.mode = mode
    return entry
