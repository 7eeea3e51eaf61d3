"""Files over SFTP. Needs the extra ssh."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import paramiko

from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.ssh.limits import limited

READ_BYTES = 32_768


def opened(channel: paramiko.Channel, timeout_s: float) -> paramiko.SFTPClient:
    """`timeout_s` is how long a transfer may pause."""
    with limited(channel, timeout_s):
        channel.invoke_subsystem("sftp")
    channel.settimeout(timeout_s)
    return paramiko.SFTPClient(channel)


def get(client: paramiko.SFTPClient, path: str) -> bytes:
    with _saying(path), client.open(path, "rb") as file:
        size = file.stat().st_size
        if size:
            file.prefetch(size)
        content = b"".join(iter(lambda: file.read(READ_BYTES), b""))
    if size is not None and len(content) < size:
        text = f"{path} ended after {len(content)} of {size} bytes"
        raise ConnectorError(text, ErrorCode.TRUNCATED)
    return content


def put(client: paramiko.SFTPClient, path: str, content: bytes) -> None:
    with _saying(path):
        client.putfo(io.BytesIO(content), path, confirm=False)
        size = client.stat(path).st_size
    if size != len(content):
        text = f"{path} has {size} bytes after writing {len(content)}"
        raise ConnectorError(text, ErrorCode.TRUNCATED)


def remove(client: paramiko.SFTPClient, path: str) -> None:
    with _saying(path):
        client.remove(path)


@contextmanager
def _saying(path: str) -> Iterator[None]:
    """What the server says of a file. Errors of the connection pass."""
    try:
        yield
    except FileNotFoundError:
        text = f"There is no file {path}"
        raise ConnectorError(text, ErrorCode.NOT_FOUND, nothing_changed=True) from None
    except PermissionError:
        text = f"The server doesn't allow access to {path}"
        raise ConnectorError(text, ErrorCode.REFUSED, nothing_changed=True) from None
    except TimeoutError:
        raise
    except OSError as error:
        # The server's own words have no number.
        if error.errno is not None:
            raise
        raise ConnectorError(f"{path}: {error}", ErrorCode.DEVICE_ERROR) from None
