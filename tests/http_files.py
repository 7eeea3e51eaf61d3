"""A server of files on this host, and of whatever else an answer may be."""

import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def serving(folder, answers=None):
    """The URL of the server; `answers` are functions that get its handler, by path."""

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *given):
            super().__init__(*given, directory=folder)

        def log_message(self, *_given):
            pass

        def do_GET(self):
            (answers or {}).get(self.path, lambda _: SimpleHTTPRequestHandler.do_GET(self))(self)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
