"""The menus, the console and the files of a router. Needs the extra routeros."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from runbook.connectors.effects import plan_change
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.host_keys import HostKeys
from runbook.connectors.routeros.client import Client, DryRunApi
from runbook.connectors.routeros.endpoint import Endpoint
from runbook.connectors.routeros.errors import code_of, console_error
from runbook.connectors.routeros.versions import Version, read_version
from runbook.connectors.ssh import Session, open_session

Row = dict[str, str]


class Device:
    """Use it in a `with` statement, or `close` it. Methods raise ConnectorError.

    Values are text, as the router writes them: `true`, `1500`, `10.0.0.1/24`. SSH is used for the
    console and for files, and only then connected.
    """

    def __init__(self, endpoint: Endpoint, host_keys: HostKeys, *, dry_run: bool = False) -> None:
        self.name = endpoint.name
        self.dry_run = dry_run
        self.address = endpoint.address
        self.username = endpoint.username
        self._endpoint = endpoint
        self._host_keys = host_keys
        self._client = Client(endpoint, dry_run=dry_run)
        self._session: Session | None = None
        self._resource: Row | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()
        if self._session is not None:
            self._session.close()
            self._session = None

    @property
    def api(self) -> DryRunApi:
        """Librouteros' Api: consume what it returns, such as by `tuple(...)`."""
        return self._client.api

    # -- what it is ------------------------------------------------------------------------------

    @property
    def resource(self) -> Row:
        """`/system/resource`, as it was at the first look."""
        if self._resource is None:
            self._resource = self.print("/system/resource")[0]
        return self._resource

    @property
    def version(self) -> Version:
        return read_version(self.resource["version"])

    @property
    def board(self) -> str:
        return self.resource.get("board-name", "")

    # -- menus -----------------------------------------------------------------------------------

    def print(
        self,
        menu: str,
        *,
        where: Mapping[str, object] | None = None,
        properties: Sequence[str] = (),
    ) -> list[Row]:
        """The rows of a menu that have all these values; only some of their properties if given."""
        values = {".proplist": ",".join(properties)} if properties else {}
        queries = tuple(f"?{name}={_text(value)}" for name, value in (where or {}).items())
        return self._client.call(_command(menu, "print"), values, queries)

    def add(self, menu: str, values: Mapping[str, object]) -> str:
        """Add a row. Returns its ID, such as `*1F`; empty in a dry run."""
        rows = self._client.call(_command(menu, "add"), values)
        return next((row["ret"] for row in rows if "ret" in row), "")

    def set(self, menu: str, which: str | None, values: Mapping[str, object]) -> None:
        """Change a row, by its ID or its name; None for a menu without rows."""
        self._client.call(
            _command(menu, "set"), {**({} if which is None else {".id": which}), **values}
        )

    def remove(self, menu: str, *which: str) -> None:
        """Remove rows, by their IDs or names. One that isn't there raises not_found."""
        if which:
            self._client.call(_command(menu, "remove"), {".id": ",".join(which)})

    def call(
        self, command: str, values: Mapping[str, object] | None = None, *, reads: bool = False
    ) -> list[Row]:
        """Any other command, such as `/system/backup/save`. Returns the rows of its answer.

        `reads`: it changes nothing, so that a dry run executes it too.
        """
        given = values or {}
        if not (reads and self.dry_run):
            return self._client.call(_command(command), given)
        with self._client.executing():
            return self._client.call(_command(command), given)

    def read_raw(self, command: str, values: Mapping[str, object]) -> list[Row]:
        """As `call`, but bytes that aren't UTF-8 are kept as surrogates."""
        return self._client.raw(_command(command), values)

    # -- the console and files, by SSH -----------------------------------------------------------

    @property
    def session(self) -> Session:
        """The SSH session. Its commands say nothing of errors by their exit status."""
        if self._session is None:
            self._session = open_session(self._endpoint.ssh, self._host_keys, dry_run=self.dry_run)
        return self._session

    def console(self, command: str, *, reads: bool = False, timeout: float | None = None) -> str:
        """Execute a console command by SSH, and return what it prints.

        The error is device_error or another that its words mean, or `truncated` if the output ends
        too early. `reads`: see `call`.
        """
        if self.dry_run and not reads:
            plan_change(f"{command} on {self.name}")
            return ""
        mark = secrets.token_hex(8)
        said = self.session.run(f'{command}; :put "{mark}"', reads=True, timeout=timeout)
        output = said.stdout.replace("\r\n", "\n").rstrip("\n")
        if output.endswith(mark):
            return output.removesuffix(mark)
        text = f"{self.address}: {command.partition(' password=')[0]}: "
        last = "".join((said.stderr.strip() or output).splitlines()[-1:])
        error = console_error(output) or (last if said.exit_status else None)
        if error is None:
            raise ConnectorError(f"{text}the output ends too early: {last}", ErrorCode.TRUNCATED)
        raise ConnectorError(text + error, code_of(error))

    def put(self, name: str, content: bytes) -> None:
        """Write a file by SFTP."""
        self.session.put(name, content)

    def get(self, name: str) -> bytes:
        """The content of a file, by SFTP."""
        return self.session.get(name)

    def remove_file(self, name: str) -> None:
        """One that isn't there is not an error."""
        for row in self.print("/file", where={"name": name}, properties=(".id",)):
            self.remove("/file", row[".id"])


def _command(*parts: str) -> str:
    """With slashes: `/ip address` is `/ip/address`."""
    return "/" + "/".join(" ".join(parts).replace("/", " ").split())


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
