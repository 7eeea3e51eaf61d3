"""The log's writer: nothing it is given to write blocks, raises or is lost without a trace."""

import io
import json
import os
import subprocess
import sys

import pytest

from patience import PATIENCE_S
from runbook.host.lines import LineStream, LineWriter


@pytest.fixture
def pipe():
    """A pipe's ends; the test may close them itself."""
    ends = os.pipe()
    yield ends
    for descriptor in ends:
        try:
            os.close(descriptor)
        except OSError:
            continue


def read_lines(descriptor, writer):
    """What has arrived once everything is written."""
    assert writer.flush(PATIENCE_S)
    return os.read(descriptor, 65_536).decode().splitlines()


def test_lines_arrive_in_order(pipe):
    writer = LineWriter(pipe[1])
    for number in range(100):
        writer.write(b"line %d\n" % number)
    assert read_lines(pipe[0], writer) == [f"line {number}" for number in range(100)]


def test_a_pipe_that_nobody_reads_blocks_nobody_and_what_is_dropped_is_counted(pipe):
    writer = LineWriter(pipe[1], most_bytes=100_000)
    line = b"x" * 999 + b"\n"
    for _ in range(1000):
        writer.write(line)
    assert not writer.flush(0.01)

    with io.FileIO(pipe[0], closefd=False) as reader:
        text = b""
        while text.count(b"\n") < 100:  # what waited arrives once somebody reads
            text += reader.read(65_536)
        assert writer.flush(PATIENCE_S)
        writer.write(b"last\n")
        while not text.endswith(b"last\n"):
            text += reader.read(65_536)
    *kept, last = text.decode().splitlines()
    reports = [json.loads(line) for line in kept if line.startswith("{")]
    assert {report["event"] for report in reports} == {"log.dropped"}
    assert sum(report["lines"] for report in reports) + len(kept) - len(reports) == 1000
    assert last == "last"


def test_a_pipe_without_a_reader_ends_nothing(pipe):
    os.close(pipe[0])
    writer = LineWriter(pipe[1])
    writer.write(b"lost\n")
    assert writer.flush(PATIENCE_S)


def test_a_full_disk_ends_nothing_and_a_closed_descriptor_neither():
    with open("/dev/full", "wb") as full:
        writer = LineWriter(full.fileno())
        writer.write(b"lost\n")
        assert writer.flush(PATIENCE_S)
    writer = LineWriter(full_number := os.open(os.devnull, os.O_RDONLY))
    os.close(full_number)
    writer.write(b"lost\n")
    assert writer.flush(PATIENCE_S)


def test_a_fork_has_a_thread_of_its_own(pipe):
    writer = LineWriter(pipe[1])
    writer.write(b"parent\n")
    assert writer.flush(PATIENCE_S)
    child = os.fork()
    if not child:
        writer.write(b"child\n")
        os._exit(0 if writer.flush(PATIENCE_S) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert read_lines(pipe[0], writer) == ["parent", "child"]


def test_what_is_printed_passes_through_it_too(pipe):
    writer = LineWriter(pipe[1])
    print("one\ntwo", end="", file=(stream := LineStream(writer)))
    stream.flush()
    print(" \udc80", file=stream)
    assert read_lines(pipe[0], writer) == ["one", "two \\udc80"]


CLOSED = """
import os, runbook.host.lines as lines
lines.open_standard_streams()
opened = os.open("file", os.O_CREAT | os.O_WRONLY)
os.write(2, b"for the log")
os._exit(opened if os.fstat(opened).st_size == 0 else 1)
"""


def test_a_file_never_takes_the_place_of_a_closed_stream(tmp_path):
    command = f"exec {sys.executable} -c '{CLOSED}' <&- >&- 2>&-"
    assert subprocess.run(["bash", "-c", command], cwd=tmp_path, check=False).returncode >= 3
