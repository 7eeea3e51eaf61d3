"""What the commands for authors print, without a process."""

import pytest
from click import UsageError

from runbook.cli.authoring.lint import FileProblem, annotation
from runbook.cli.authoring.new import _checked
from runbook.cli.authoring.selection import select_cases, select_runbooks
from runbook.cli.authoring.templates import new_runbook
from runbook.cli.who_can import Access, access_lines
from runbook.core.authoring.format import formatted
from runbook.core.authoring.lint import Surroundings, lint
from runbook.core.document import Problem, Severity
from runbook.core.language.parse import parse
from runbook.errors import NotFoundError

# -- new -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [False, True])
def test_a_new_runbook_is_clean_and_has_the_form(steps):
    text = new_runbook("Demo", steps=steps).encode()
    document = parse(text, stem="Demo")

    assert lint(document, text[: document.head_bytes], Surroundings()) == []
    assert document.runbook.stepped is steps
    assert formatted(text) == text


@pytest.mark.parametrize("name", ["Demo", "a-b.c_d", "Zwei Wörter", "Demo.md"])
def test_a_name_may_be_any_files(name):
    assert _checked(name) == name.removesuffix(".md")


@pytest.mark.parametrize("name", ["", " ", ".hidden", "a/b", "a\\b", "a\nb", "Script", "x" * 300])
def test_a_name_that_cannot_be_a_runbooks_is_refused(name):
    with pytest.raises(UsageError):
        _checked(name)


# -- lint ----------------------------------------------------------------------------------------


def test_an_annotation_is_escaped_as_github_reads_it():
    problem = Problem("some_code", "50% done\r\nnext: a,b", 7, Severity.WARNING, "do x")
    assert annotation(FileProblem("a,b:c%.md", problem)) == (
        "::warning file=a%2Cb%3Ac%25.md,line=7,title=some_code::50%25 done%0D%0Anext: a,b (do x)"
    )


def test_an_annotation_without_a_line_is_on_the_first():
    assert annotation(FileProblem("a.md", Problem("c", "text"))) == (
        "::error file=a.md,line=1,title=c::text"
    )


# -- who-can -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("access", "lines"),
    [
        (Access(None), ["everyone with a valid token"]),
        (
            Access(None, known=False),
            ["no one: the section Required Claims is invalid (see `runbook lint`)"],
        ),
        (Access({"roles": ("sre", "api")}), ["roles: one of sre, api"]),
        (
            Access({"roles": ("sre", "api"), "team": ("platform",)}, allowed=True),
            ["roles: one of sre, api", "and team: platform", "your token: allowed"],
        ),
        (
            Access({"team": ("a",)}, allowed=False, missing=("team (not present)",)),
            ["team: a", "your token: denied, team (not present)"],
        ),
    ],
)
def test_who_can_is_said_in_words(access, lines):
    assert list(access_lines(access)) == lines


# -- which files ---------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path):
    """A runbooks directory, and a folder that is none."""
    for name in ("books/A.md", "books/sub/B.md", "books/.hidden.md", "other/C.md", "other/x/D.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# x\n")
    (tmp_path / "books/sub/B.test.yaml").write_text("cases:\n")
    return tmp_path


def refs(found):
    return [(item.root.name, item.ref) for item in found]


def environment(tree):
    return {"RUNBOOKS_DIR": str(tree / "books")}


def test_without_paths_all_runbooks_are_meant(tree):
    assert refs(select_runbooks((), environment(tree))) == [
        ("books", "A.md"),
        ("books", "sub/B.md"),
    ]


def test_a_ref_below_the_runbooks_directory_is_understood(tree):
    assert refs(select_runbooks(("sub/B.md", "sub"), environment(tree))) == [("books", "sub/B.md")]


def test_elsewhere_a_folder_is_its_own_runbooks_directory(tree):
    found = select_runbooks((str(tree / "other"), str(tree / "other/x/D.md")), environment(tree))
    assert refs(found) == [("other", "C.md"), ("other", "x/D.md"), ("x", "D.md")]


@pytest.mark.parametrize("name", ["None.md", "books/sub/B.test.yaml"])
def test_what_is_no_runbook_is_refused(tree, name, monkeypatch):
    monkeypatch.chdir(tree)
    with pytest.raises(NotFoundError):
        select_runbooks((name,), environment(tree))


@pytest.mark.parametrize("name", ["books", "books/sub/B.md", "books/sub/B.test.yaml"])
def test_cases_are_found_by_folder_runbook_and_file(tree, name, monkeypatch):
    monkeypatch.chdir(tree)
    (found,) = select_cases((name,), environment(tree))
    assert (found.ref, found.shown) == ("sub/B.md", "books/sub/B.md")


def test_cases_without_a_runbook_are_refused(tree):
    (tree / "books/Gone.test.yaml").write_text("cases:\n")
    with pytest.raises(NotFoundError, match=r"Gone\.md"):
        select_cases(("Gone.test.yaml",), environment(tree))
