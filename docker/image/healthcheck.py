"""Exits with 0 if the server in this container answers. The image's HEALTHCHECK."""

import http.client
import os
import sys

SECONDS = 4


def is_alive(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False


if __name__ == "__main__":
    bound = os.environ.get("BIND_HOST") or "0.0.0.0"
    everywhere = bound in {"0.0.0.0", "::"}
    port = int(os.environ.get("API_PORT") or 8083)
    sys.exit(not is_alive("127.0.0.1" if everywhere else bound, port))
