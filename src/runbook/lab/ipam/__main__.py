"""Serves the IPAM endpoint: `python -m runbook.lab.ipam`. See lab/processes.py."""

from __future__ import annotations

from runbook.lab.ipam.database import Database
from runbook.lab.ipam.sample import fill
from runbook.lab.ipam.server import Endpoint, Server
from runbook.lab.ready import announce, given


def main() -> None:
    database = Database()
    fill(database)
    server = Server(Endpoint(database, [given()["token"]]))
    announce({"url": server.url})
    server.serve_forever()


if __name__ == "__main__":
    main()
