"""Command lines like those of Cisco IOS, Junos and a plain device, behind a real SSH server."""

import re
import socket
import threading
import time

import paramiko

USER, PASSWORD, ENABLE = "admin", "secret-word", "more-rights"


class Server(paramiko.ServerInterface):
    def check_auth_password(self, username, password):
        right = (username, password) == (USER, PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED

    def get_allowed_auths(self, _username):
        return "password"

    def check_channel_request(self, kind, _number):
        return paramiko.OPEN_SUCCEEDED if kind == "session" else 1

    def check_channel_pty_request(self, *_):
        return True

    def check_channel_shell_request(self, _channel):
        return True


class Device:
    """Listens on loopback. `lines` is the running configuration.

    A line `no ip route` (IOS), `delete system services ssh` (Junos) or `cut` cuts all connections
    and accepts none until the device has reverted. A minute takes `minute_s`.
    """

    def __init__(self, lines, minute_s=1.0):
        self.lines, self.saved = list(lines), None
        self.minute_s = minute_s
        self.is_cut = False
        self.sent = []
        self.lock = threading.RLock()
        self._timer = None
        self._before = None
        self._key = paramiko.ECDSAKey.generate()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._transports = []
        self.port = self._socket.getsockname()[1]
        self._closing = False
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def close(self):
        # Closed under a thread that waits in it, the socket's number would go to another one.
        self._closing = True
        with socket.create_connection(("127.0.0.1", self.port)):
            self._acceptor.join()
        self._socket.close()
        self._cut_connections()
        if self._timer:
            self._timer.cancel()

    def values(self, **more):
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "username": USER,
            "password": PASSWORD,
            "timeout": 5,
            "command_timeout": 10,
            **more,
        }

    # -- reverting ---------------------------------------------------------------------------

    def arm(self, minutes):
        with self.lock:
            self._before = list(self.lines)
            self._timer = threading.Timer(minutes * self.minute_s, self.revert)
            self._timer.daemon = True
            self._timer.start()

    def confirm(self):
        with self.lock:
            if self._timer is None:
                return False
            self._timer.cancel()
            self._timer = self._before = None
            return True

    def revert(self):
        with self.lock:
            if self._before is not None:
                self.lines, self.is_cut = self._before, False
                self._timer.cancel()
                self._timer = self._before = None

    def cut(self):
        self.is_cut = True
        self._cut_connections()

    # -- SSH ---------------------------------------------------------------------------------

    def _cut_connections(self):
        for transport in self._transports:
            transport.close()

    def _accept(self):
        while True:
            client, _ = self._socket.accept()
            if self._closing or self.is_cut:
                client.close()
                if self._closing:
                    return
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        transport = paramiko.Transport(client)
        transport.add_server_key(self._key)
        self._transports.append(transport)
        try:
            transport.start_server(server=Server())
            channel = transport.accept(10)
            if channel is not None:
                self._talk(channel)
        except (EOFError, OSError, paramiko.SSHException):
            pass
        finally:
            transport.close()

    def _talk(self, channel):
        session = self.session()
        channel.sendall(f"\r\nWelcome\r\n{session.prompt}")
        pending = b""
        while data := channel.recv(1024):
            pending += data
            while b"\n" in pending or b"\r" in pending:
                line, _, pending = pending.replace(b"\r", b"\n").partition(b"\n")
                text = line.decode()
                self.sent.append(text)
                with self.lock:
                    answer = session.do(text)
                echo = "" if session.hidden else text
                session.hidden = session.asking
                if self.is_cut:
                    return
                out = f"{echo}\r\n" + "".join(f"{one}\r\n" for one in answer)
                channel.sendall(out + session.prompt)

    def session(self):
        return Session(self)


class Session:
    """A plain device: configuration takes effect at once."""

    error = "% Invalid input"
    show = "show running-config"

    def __init__(self, device):
        self.device = device
        self.mode = "exec"
        self.asking = self.hidden = False

    @property
    def prompt(self):
        return "dev-1(config)# " if self.mode == "config" else "dev-1# "

    def do(self, line):
        if self.mode == "config":
            if line in ("end", "exit"):
                self.mode = "exec"
                return []
            return self.configure(line)
        if line == self.show:
            return self.config()
        if line == "configure terminal":
            self.mode = "config"
            return []
        if line == "write memory":
            self.device.saved = list(self.device.lines)
            return ["[OK]"]
        return [f"{self.error}: {line}"]

    def config(self):
        return ["!", f"! Last change {time.time()}", *self.device.lines]

    def configure(self, line):
        if "bad" in line:
            return [f"{self.error} detected at '^' marker."]
        if line in ("cut", "no ip route"):
            self.device.cut()
        lines = self.device.lines
        if line.startswith("no "):
            self.device.lines = [one for one in lines if one != line[3:]]
        elif line not in lines:
            self.device.lines = [*lines, line]
        return []


class IosSession(Session):
    def __init__(self, device):
        super().__init__(device)
        self.privileged = device.privileged

    @property
    def prompt(self):
        if self.asking:
            return "Password: "
        sign = "#" if self.privileged else ">"
        return f"edge-1(config){sign}" if self.mode == "config" else f"edge-1{sign}"

    def do(self, line):
        if self.asking:
            self.asking, self.privileged = False, line == ENABLE
            return [] if self.privileged else ["% Access denied"]
        if line.startswith("terminal "):
            return []
        if line == "enable":
            self.asking = not self.privileged
            return []
        if line == "show version":
            return ["Cisco IOS Software, C2960 Software, Version 15.2(7)E3, RELEASE SOFTWARE"]
        if not self.privileged:
            return ["% Invalid input detected at '^' marker."]
        return self.do_privileged(line)

    def do_privileged(self, line):
        if found := re.fullmatch(r"configure terminal revert timer (\d+)", line):
            self.device.arm(int(found[1]))
            self.mode = "config"
            return ["Rollback Confirmed Change: Backing up current running config"]
        if line == "configure confirm":
            return [] if self.device.confirm() else ["%No Rollback Confirmed Change pending"]
        if line == "configure revert now":
            self.device.revert()
            return []
        return super().do(line)

    def config(self):
        now = time.time()
        return [
            "Building configuration...",
            "",
            f"Current configuration : {len(self.device.lines)} bytes",
            "!",
            f"! Last configuration change at {now} by admin",
            *self.device.lines,
            "end",
        ]


class Ios(Device):
    privileged = True

    def session(self):
        return IosSession(self)


class JunosSession(Session):
    error = "error: syntax error"
    show = "show configuration | display set"

    def __init__(self, device):
        super().__init__(device)
        self.candidate = None

    @property
    def prompt(self):
        if self.mode == "config":
            return "[edit]\r\nadmin@core-1# "
        return "admin@core-1> "

    def config(self):
        return [f"## Last commit: {time.time()} by admin", *self.device.lines]

    def do(self, line):
        if self.mode == "config":
            return self.do_config(line)
        if line.startswith("set cli "):
            return ["Screen length set to 0"]
        if line == "show version":
            return ["Hostname: core-1", "Junos: 21.4R3"]
        if line == "configure exclusive":
            self.mode, self.candidate = "config", list(self.device.lines)
            return ["Entering configuration mode"]
        return super().do(line)

    def do_config(self, line):
        if line.startswith("set ") and "bad" not in line:
            self.candidate.append(line)
            return []
        if line.startswith("commit"):
            return self.commit(line)
        if line == "exit":
            self.mode = "exec"
            return ["Exiting configuration mode"]
        if line == "rollback 0":
            self.candidate = list(self.device.lines)
            return ["load complete"]
        return [" ^", "syntax error."]

    def commit(self, line):
        if line == "commit check":
            invalid = any("invalid" in one for one in self.candidate)
            return [f"{'error: ' if invalid else ''}configuration check done"]
        if found := re.fullmatch(r"commit confirmed (\d+)", line):
            self.device.arm(int(found[1]))
        else:
            self.device.confirm()
        self.device.lines = list(self.candidate)
        if "set cut" in self.candidate:
            self.device.cut()
        return ["commit complete"]


class Junos(Device):
    def session(self):
        return JunosSession(self)
