"""What a script says to its run: the bytes in the hand-over files, and what is refused."""

import json
import os
import re
import select
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runbook
from patience import PATIENCE_S
from runbook.core.output.handover import read_env, read_outputs
from runbook.errors import RunbookError
from runbook.script import commands as script

NAMES = ("ENV", "OUTPUT", "SUMMARY", "PROGRESS", "PLAN", "MASK")
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The hand-over files by name; none is there yet."""
    found = {name: tmp_path / name.lower() for name in NAMES}
    for name, path in found.items():
        monkeypatch.setenv(f"RUNBOOK_{name}", str(path))
    monkeypatch.setenv("RUNBOOK_ARTIFACTS", str(tmp_path / "artifacts"))
    (tmp_path / "artifacts").mkdir()
    return found


def assignments(data):
    """Names and values as the format says: `NAME=value`, or `NAME<<WORD`, lines, WORD."""
    lines = data.decode().split("\n")
    assert lines.pop() == ""
    while lines:
        line = lines.pop(0)
        name, word = re.fullmatch(r"([A-Za-z0-9_.-]*)(?:<<(.+))?(?:=.*)?", line, re.DOTALL).groups()
        if word is None:
            yield name, line.partition("=")[2]
        else:
            end = lines.index(word)
            yield name, "\n".join(lines[:end])
            del lines[: end + 1]


# -- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["env", "output"])
@given(values=st.lists(TEXTS, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_text_comes_back_as_it_was(kind, values, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "values"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(f"RUNBOOK_{kind.upper()}", str(path))
        for number, value in enumerate(values):
            getattr(script, kind)(f"N{number}", value)

    expected = [(f"N{number}", value) for number, value in enumerate(values)]
    assert list(assignments(path.read_bytes())) == expected


def test_a_value_of_one_line_is_one_line(files):
    script.env("VM_ID", "104")
    script.env("EMPTY", "")
    assert files["ENV"].read_bytes() == b"VM_ID=104\nEMPTY=\n"


def test_a_value_of_several_lines_stands_between_two_words(files):
    script.output("text", "one\n\ntwo\n")
    expected = rb"text<<(end-[0-9a-f]{32})\none\n\ntwo\n\n\1\n"
    assert re.fullmatch(expected, files["OUTPUT"].read_bytes())


def test_a_value_that_ends_with_cr_keeps_it(files):
    script.output("x", "one\r")
    script.env("X", "two\r")
    assert read_outputs(files["OUTPUT"].read_bytes()).values == {"x": "one\r"}
    assert read_env(files["ENV"].read_bytes()).values == {"X": "two\r"}


def test_the_word_is_another_one_each_time(files):
    script.output("a", "x\ny")
    script.output("b", "x\ny")
    assert len(set(re.findall(rb"<<(.+)", files["OUTPUT"].read_bytes()))) == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (104, "104"),
        (True, "true"),
        (None, "null"),
        (["ä", 1], '["ä", 1]'),
        ({"a": {}}, '{"a": {}}'),
    ],
)
def test_what_is_no_text_becomes_json(files, value, text):
    script.output("x", value)
    script.env("X", value)
    assert files["OUTPUT"].read_text() == f"x={text}\n"
    assert files["ENV"].read_text() == f"X={text}\n"
    assert json.loads(text) == value


def test_outputs_may_have_dots_and_dashes(files):
    script.output("disk.size-gb", 20)
    assert files["OUTPUT"].read_text() == "disk.size-gb=20\n"


@pytest.mark.parametrize("name", ["", "1A", "A B", "A=B", "A\n", "A<<B", "Ä", "A" * 129, "a.b"])
def test_what_no_variable_can_be_called_is_refused(files, name):
    with pytest.raises(ValueError, match=re.escape(repr(name[:80]))):
        script.env(name, "x")
    assert not files["ENV"].exists()


@pytest.mark.parametrize("name", ["", "1a", "a b", "a=b", "a\n", "-a", "a<<b"])
def test_what_no_output_can_be_called_is_refused(files, name):
    with pytest.raises(ValueError, match=r"_, \. and -"):
        script.output(name, "x")


@pytest.mark.parametrize(("value", "why"), [("a\0b", "NUL"), ("\udcff", "not valid Unicode")])
def test_values_that_no_program_can_take_are_refused(files, value, why):
    for give in (lambda: script.env("A", value), lambda: script.mask(value)):
        with pytest.raises(ValueError, match=why):
            give()
    with pytest.raises(ValueError, match=f"the value of A .*{why}"):
        script.output("A", value)
    assert not files["OUTPUT"].exists()
    assert not files["MASK"].exists()


def test_what_is_no_json_is_refused(files):
    with pytest.raises(TypeError):
        script.output("x", object())


# -- progress and plans --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "text", "line"),
    [
        (40, "Cloning disk", "40 Cloning disk"),
        (0, "", "0 "),
        (100, "done", "100 done"),
        (33.3333, "a third", "33.33 a third"),
        (0.001, "begun", "0 begun"),
        (12.5, "two\nlines\r\nand more", "12.5 two lines and more"),
        (1, "\udcff", "1 ?"),
    ],
)
def test_progress_is_one_line(files, percent, text, line):
    script.progress(percent, text)
    assert files["PROGRESS"].read_bytes() == f"{line}\n".encode()


@pytest.mark.parametrize("percent", [-1, 100.1, float("nan"), float("inf")])
def test_progress_is_between_0_and_100(files, percent):
    with pytest.raises(ValueError, match="0 and 100"):
        script.progress(percent)


def test_a_long_line_is_cut_to_what_a_pipe_takes_whole(files):
    script.progress(5, "ä" * 5000)
    data = files["PROGRESS"].read_bytes()
    assert 4090 < len(data) <= 4096
    assert data.endswith(b"\n")
    assert set(data.decode()[2:-1]) == {"ä"}


def test_plans_are_lines_with_labels(files):
    script.plan("create VM 104", label="verified")
    script.plan("restart nginx", label="assumed")
    script.plan("verified: not really")
    assert files["PLAN"].read_text() == (
        "verified: create VM 104\nassumed: restart nginx\nunknown: verified: not really\n"
    )


@pytest.mark.parametrize(("text", "label"), [(" \n", "verified"), ("x", "sure")])
def test_a_plan_needs_a_text_and_a_known_label(files, text, label):
    with pytest.raises(ValueError, match=r"text|verified, assumed, unknown"):
        script.plan(text, label=label)


def test_a_pipe_gets_whole_lines_from_many_processes(files):
    os.mkfifo(files["PROGRESS"])
    descriptor = os.open(files["PROGRESS"], os.O_RDWR)
    code = "import runbook\nfor n in range(50): runbook.progress(n, 'x' * 900)"
    writers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    lines = []
    rest = b""
    while len(lines) < 150:
        *whole, rest = (rest + os.read(descriptor, 65536)).split(b"\n")
        lines += whole
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    os.close(descriptor)
    assert all(re.fullmatch(rb"\d+ x{900}", line) for line in lines)


def test_a_pipe_that_nobody_reads_holds_nobody_up(files):
    os.mkfifo(files["PROGRESS"])
    script.progress(40, "nobody hears this")


def test_a_reader_that_leaves_is_no_error(files):
    os.mkfifo(files["MASK"])
    reader = os.open(files["MASK"], os.O_RDONLY | os.O_NONBLOCK)
    writer = threading.Thread(target=script.mask, args=("x" * 1_000_000,))
    writer.start()
    readable, _, _ = select.select([reader], [], [], PATIENCE_S)
    assert readable  # the writer has begun; the pipe holds 64 KiB of what it wants to write
    os.close(reader)
    writer.join(PATIENCE_S)
    assert not writer.is_alive()


# -- masks, summaries, artifacts -----------------------------------------------------------------


def test_a_mask_is_a_line_and_one_of_several_lines_has_words(files):
    script.mask("s3cret")
    script.mask("")
    script.mask("<<odd")
    script.mask("-----BEGIN-----\nabc")
    word = rb"(end-[0-9a-f]{32})"
    expected = rb"s3cret\n<<%b\n<<odd\n\1\n<<%b\n-----BEGIN-----\nabc\n\2\n" % (word, word)
    assert re.fullmatch(expected, files["MASK"].read_bytes())


def test_summaries_end_with_a_newline_each(files):
    script.summary("# Done")
    script.summary("| a |\n|---|\n")
    assert files["SUMMARY"].read_text() == "# Done\n| a |\n|---|\n"


def test_nothing_that_was_written_before_is_lost(files):
    files["OUTPUT"].write_text("first=1\n")
    script.output("second", 2)
    assert files["OUTPUT"].read_text() == "first=1\nsecond=2\n"


def test_an_artifact_is_copied(files, tmp_path):
    report = tmp_path / "report.txt"
    report.write_bytes(b"all\0bytes")

    assert script.artifact(report) == tmp_path / "artifacts" / "report.txt"
    copy = script.artifact(str(report), "logs/build.log")
    assert copy == tmp_path / "artifacts" / "logs" / "build.log"
    assert copy.read_bytes() == b"all\0bytes"
    assert report.exists()


def test_an_artifact_that_was_made_in_its_place_stays(files, tmp_path):
    made = tmp_path / "artifacts" / "made.txt"
    made.write_text("here")
    assert script.artifact(made) == made
    assert made.read_text() == "here"


@pytest.mark.parametrize("name", ["", "/etc/x", "../x", "a/../../x", "a\nb"])
def test_an_artifact_cannot_lead_out_of_its_folder(files, tmp_path, name):
    (tmp_path / "x").write_text("x")
    with pytest.raises(ValueError, match=re.escape(repr(name))):
        script.artifact(tmp_path / "x", name)


def test_an_artifact_that_is_not_there_is_an_error(files, tmp_path):
    with pytest.raises(FileNotFoundError):
        script.artifact(tmp_path / "none")


# -- outside of a run ----------------------------------------------------------------------------

OUTSIDE = {
    "ENV": lambda: script.env("A", "x"),
    "OUTPUT": lambda: script.output("a", "x"),
    "SUMMARY": lambda: script.summary("x"),
    "PROGRESS": lambda: script.progress(1),
    "PLAN": lambda: script.plan("x"),
    "MASK": lambda: script.mask("x"),
    "ARTIFACTS": lambda: script.artifact(__file__),
    "API_TOKEN": lambda: script.call("A.md"),
}


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("value", [None, ""])
def test_outside_of_a_run_the_error_says_so(name, value, monkeypatch):
    monkeypatch.delenv(f"RUNBOOK_{name}", raising=False)
    if value is not None:
        monkeypatch.setenv(f"RUNBOOK_{name}", value)
    with pytest.raises(script.NotInRunError) as caught:
        OUTSIDE[name]()
    assert str(caught.value).startswith(f"RUNBOOK_{name} is not set")
    assert isinstance(caught.value, RuntimeError)
    assert isinstance(caught.value, RunbookError)


@pytest.mark.parametrize(("value", "dry"), [(None, False), ("", False), ("0", False), ("1", True)])
def test_a_dry_run_is_known(monkeypatch, value, dry):
    monkeypatch.delenv("RUNBOOK_DRY_RUN", raising=False)
    if value is not None:
        monkeypatch.setenv("RUNBOOK_DRY_RUN", value)
    assert script.dry_run() is dry


# -- the package ---------------------------------------------------------------------------------


def test_the_package_has_all_of_them():
    assert set(runbook.__all__) == set(script.__all__) - {"file_inputs"}
    for name in runbook.__all__:
        assert getattr(runbook, name) is getattr(script, name)


def test_another_name_is_missing_from_the_package_as_usual():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        runbook.nothing  # noqa: B018 - looking is what is tested


def modules_after(code):
    program = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_of_it():
    loaded = modules_after("import runbook")
    assert {name for name in loaded if name.startswith("runbook")} == {"runbook"}


def test_the_functions_load_next_to_nothing():
    loaded = modules_after("import runbook; runbook.progress")
    ours = {name for name in loaded if name.startswith("runbook.")}
    script = {"runbook.script", "runbook.script.commands", "runbook.script.limits"}
    assert ours == script | {"runbook.errors"}
    assert not loaded & {"json", "socket", "http", "shutil", "secrets", "subprocess", "tempfile"}


def test_a_call_needs_the_standard_library_only():
    loaded = modules_after("import runbook.script.calling")
    heads = {name.partition(".")[0] for name in loaded}
    assert heads - {"runbook"} <= set(sys.stdlib_module_names)


def test_a_failure_says_which_runbook_and_why():
    done = {"runbook": "A.md", "status": "failed", "return_code": 3, "errors": []}
    assert str(script.CalledRunbookError(done)) == "A.md failed with return code 3"
    done = {"runbook": "A.md", "status": "invalid", "return_code": 1, "errors": ["x", "y"]}
    error = script.CalledRunbookError(done)
    assert (str(error), error.done) == ("A.md invalid: x; y", done)


def test_a_ref_that_is_no_text_is_refused(monkeypatch):
    monkeypatch.setenv("RUNBOOK_API_TOKEN", "t")
    with pytest.raises(ValueError, match="the ref is not valid Unicode"):
        script.call("\udcff.md")


def test_the_type_of_a_path_is_that_of_the_folder(files):
    assert isinstance(script.artifact(__file__), Path)
