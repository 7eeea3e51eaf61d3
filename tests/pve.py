"""A Proxmox VE for the tests: fakepve, on a port of the loopback, in a thread of this process."""

import asyncio
import datetime as dt
import gc
import ipaddress
import threading
import warnings
from contextlib import contextmanager
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "127.0.0.1"
TOKEN_ID, TOKEN_SECRET = "root@pam!rb", "0d5e8f3a-token-of-the-tests"
TEMPLATE = "debian-12-standard_12.7-1_amd64.tar.zst"
ISO = "debian-12.iso"
START_S = 30


def make_certificate(folder):
    """Paths of a certificate for the loopback address, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "pve of the tests")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "pve.crt", folder / "pve.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    return paths


def watched(base):
    """A FakePve that tells of each request, before and after it has handled it."""

    class Watched(base):
        def __init__(self, **options):
            super().__init__(**options)
            self.before = self.after = lambda request: None

        async def _answer(self, request, *rest):
            self.before(request)
            answer = await super()._answer(request, *rest)
            self.after(request)
            return answer

    return Watched


def lose(request):
    """The client never gets the answer."""
    request.transport.close()
    raise ConnectionResetError


class Lab:
    """A cluster of one node, pve1, with a template and an ISO image. `pve` is fakepve's own."""

    def __init__(self, folder):
        from fakepve import FakePve

        gc.freeze()  # so that the collection at the end has little to look at
        certificate, key = make_certificate(folder)
        self.ca = certificate.read_text()
        self.pve = watched(FakePve)(host=HOST, port=0)
        self.pve.apitokens[TOKEN_ID] = TOKEN_SECRET
        self.pve.store_file("local", TEMPLATE, 1000, content="vztmpl")
        self.pve.store_file("local", ISO, 1000)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.call(self.pve.start(str(certificate), str(key)))

    def call(self, coroutine):
        """Run a coroutine of the server's in its thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(START_S)

    @property
    def values(self):
        """The values of a connection to it."""
        return {
            "host": HOST,
            "port": self.pve.port,
            "token_id": TOKEN_ID,
            "token_secret": TOKEN_SECRET,
            "ca": self.ca,
            "timeout": 3,
        }

    def changes(self):
        """What clients have sent besides reads: method, path and values of each."""
        return [
            (method, path.removeprefix("/api2/json"), dict(parse_qsl(body.decode())))
            for method, path, body in list(self.pve.requests)
            if method != "GET" and not path.endswith("/access/ticket")
        ]

    def guests(self):
        """The number and the description's last line of each guest."""
        found = [*self.pve.vms, *self.pve.cts]
        return {one.vmid: str(one.config.get("description", "")).split("\n")[-1] for one in found}

    def disks(self):
        """The disks of all guests."""
        return sorted(
            volume
            for store in self.pve.storages.values()
            for volume, about in store.get("volumes", {}).items()
            if about.get("content") in ("images", "rootdir")
        )

    async def _close(self):
        await self.pve.stop()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for _ in range(50):  # a TLS connection takes some turns to close
            await asyncio.sleep(0)
        gc.collect()  # here, where nothing warns of what aiohttp leaves open
        gc.unfreeze()

    def stop(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            self.call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def running_lab(folder):
    lab = Lab(folder)
    try:
        yield lab
    finally:
        lab.stop()
