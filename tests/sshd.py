"""OpenSSH servers on loopback for tests, each with a folder of its own."""

import getpass
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager

import pytest

from needs import need
from ports import free_port

PROGRAM = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin:/usr/bin")
PRIVILEGE_FOLDER = "/run/sshd"
CONFIGURATION = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
AllowTcpForwarding yes
Subsystem sftp internal-sftp
"""


def made_key(path, *, passphrase="", kind="ed25519"):
    """The text of a new private key; its public half is beside it."""
    for file in (path, path.with_suffix(".pub")):
        file.unlink(missing_ok=True)
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True)
    return path.read_text()


class Sshd:
    """A server that accepts the key `private_key` of whoever executes the tests."""

    def __init__(self, folder):
        need(PROGRAM, "sshd")
        folder.mkdir()
        self.folder = folder
        self.port = free_port()
        self.private_key = self.accept("user_key")
        (folder / "sshd_config").write_text(
            CONFIGURATION.format(port=self.port, folder=folder), encoding="utf-8"
        )
        made_key(folder / "host_key")
        self._process = None

    def accept(self, name, **key):
        """Accept another key, whose text is returned."""
        text = made_key(self.folder / name, **key)
        with (self.folder / "authorized_keys").open("a") as file:
            file.write((self.folder / f"{name}.pub").read_text())
        return text

    @property
    def host_key(self):
        return " ".join((self.folder / "host_key.pub").read_text().split()[:2])

    @property
    def fingerprint(self):
        command = ["ssh-keygen", "-l", "-f", str(self.folder / "host_key.pub")]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        return found.stdout.split()[1]

    def values(self, **more):
        """The values of a connection of kind ssh."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "username": getpass.getuser(),
            "private_key": self.private_key,
            **more,
        }

    def start(self):
        if os.geteuid() == 0:
            os.makedirs(PRIVILEGE_FOLDER, mode=0o755, exist_ok=True)
        self._process = subprocess.Popen(
            [PROGRAM, "-D", "-e", "-f", str(self.folder / "sshd_config")],
            stderr=subprocess.PIPE,
            text=True,
        )
        for line in self._process.stderr:
            if "listening" in line:
                return self
        raise AssertionError("sshd didn't start")

    def stop(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process.stderr.close()
            self._process = None

    @contextmanager
    def frozen(self):
        """Connections are accepted, by the kernel, but nobody says anything."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def change_host_key(self):
        self.stop()
        made_key(self.folder / "host_key")
        self.start()


@pytest.fixture
def sshds(tmp_path):
    """Starts servers, by name."""
    started = []

    def start(name="sshd"):
        started.append(Sshd(tmp_path / name))
        return started[-1].start()

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def sshd(sshds):
    return sshds()
