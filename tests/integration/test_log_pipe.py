"""A server whose log nobody takes goes on: nothing waits for the log, and nothing ends with it."""

import fcntl
import os

import psutil

from patience import PATIENCE_S

PAGE = 4096


def test_a_closed_log_pipe_does_not_turn_a_workers_death_into_the_servers(start_server, execute):
    reading, writing = os.pipe()
    server = start_server(stderr=writing)
    os.close(writing)
    os.close(reading)
    server.add("Quick", "print quick")
    worker = server.worker

    worker.kill()
    psutil.wait_procs([worker], timeout=PATIENCE_S)
    with server.client() as client:
        assert execute(client, "Quick.md")["stdout"] == "quick\n"

    assert server.worker.pid != worker.pid
    assert server.stop() == 0


def test_a_log_pipe_that_nobody_reads_delays_no_reply_no_run_and_no_stop(start_server, execute):
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PAGE)
    server = start_server(stderr=writing, LOGGING_LEVEL="DEBUG")
    server.add("Long", "repeat 500 print 0123456789")  # its record alone is longer than the pipe
    with server.client() as client:
        for _ in range(3):
            assert execute(client, "Long.md")["status"] == "succeeded"
        for _ in range(50):
            assert client.get("/api/runbooks").status_code == 200
    server.worker.kill()
    server.wait_ready()
    assert server.stop() == 0
    os.close(reading)
    os.close(writing)
