"""The lab's IPAM endpoint in this process, for tests that look at its requests or disturb them."""

import threading
from contextlib import contextmanager

from netbox.real import OLD_TOKEN, NetBox
from runbook.lab.ipam.database import Database
from runbook.lab.ipam.models import BY_PATH
from runbook.lab.ipam.server import Endpoint, Server

NEW_TOKEN = "nbt_abcdef123456.0123456789abcdef0123456789abcdef01234567"


class Watched(Endpoint):
    """Keeps its requests. `after` is called with each request, before its answer is sent."""

    def __init__(self, database):
        super().__init__(database, [NEW_TOKEN, OLD_TOKEN], self._see)
        self.requests = []
        self.after = lambda request, answer: None

    @property
    def changing(self):
        return [one for one in self.requests if one.method != "GET"]

    def add(self, path, **given):
        return self.database.create(BY_PATH[path], given)["id"]

    def addresses(self):
        return {
            row["address"]: row["description"] for row in self.database.rows("ipam/ip-addresses")
        }

    def answer(self, request):
        answer = super().answer(request)
        self.after(request, answer)
        return answer

    def _see(self, request):
        self.requests.append(request)


@contextmanager
def loopback():
    endpoint = Watched(Database())
    server = Server(endpoint)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield NetBox(server.url, NEW_TOKEN), endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
