"""The documentation says what the program does: its tables are held against the code."""

import ast
import importlib
import re
from functools import cache
from pathlib import Path

import click
import pytest
from markdown_it import MarkdownIt
from prometheus_client import CollectorRegistry
from werkzeug.exceptions import MethodNotAllowed, RequestEntityTooLarge

from runbook import settings as configuration
from runbook.api.app import create_app
from runbook.api.context import Application
from runbook.api.openapi import document
from runbook.bootstrap import build_authenticator, build_engine
from runbook.cli import exit_codes
from runbook.cli.app import cli
from runbook.core.entry import ENTRY_HEAD
from runbook.core.environ import RESERVED, RESERVED_PREFIXES
from runbook.core.parse import parse
from runbook.core.run import TRANSITIONS, EventType, RunStatus
from runbook.core.steps import LANGUAGES
from runbook.engine.dispatch import Role
from runbook.errors import RunbookError
from runbook.settings import Settings

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "runbook"
FORMAT = ROOT / "RUNBOOK.md"
DOCUMENTS = sorted(
    path for folder in (".", "docs", "docs/adr") for path in (ROOT / folder).glob("*.md")
)


def docs(name):
    return ROOT / "docs" / f"{name}.md"


@cache
def read(path):
    return path.read_text()


def outside_fences(text):
    return re.sub(r"^(`{3,})[^`\n]*\n.*?^\1`*$", "", text, flags=re.MULTILINE | re.DOTALL)


def rows(path, heading=None):
    """The cells of every table's rows; below one heading of level 2 or 3, if it is named."""
    text = outside_fences(read(path))
    if heading is not None:
        ((_, text),) = [part for part in sections(text) if part[0] == heading]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [
        row
        for row, following in zip(found, [*found[1:], [""]])
        if not set(row[0]) <= set("-:") and not (following[0] and set(following[0]) <= set("-:"))
    ]


def sections(text):
    parts = re.split(r"^#{2,3} (.+)$", text, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2]))


def code_spans(cell):
    return re.findall(r"`([^`]+)`", cell)


# -- settings ------------------------------------------------------------------------------------

SETTINGS = {code_spans(row[0])[0]: row[1] for row in rows(docs("configuration"))}
PLACES = {"checkout": (True, False), "image": (False, True), "elsewhere": (False, False)}


def test_every_setting_is_documented_and_nothing_else():
    assert SETTINGS.keys() == {field.upper() for field in Settings.model_fields}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_default_is_the_documented_one(name, place, monkeypatch):
    in_checkout, in_image = PLACES[place]
    monkeypatch.setattr(configuration, "in_checkout", lambda: in_checkout)
    monkeypatch.setattr(configuration, "in_image", lambda: in_image)
    monkeypatch.setattr(configuration, "CHECKOUT", Path())
    monkeypatch.setenv("HOME", "/home/me")
    default = Settings.load({}).model_dump()[name.lower()]

    assert documented_default(SETTINGS[name], place) == shown(default, name)


def documented_default(cell, place):
    """`X` in a checkout, `Y` in an image, else `Z`: what of it holds in this place."""
    for part in cell.split(", "):
        value, _, where = part.partition(" in ")
        if where.endswith(place):
            return value.strip("`")
    return part.removeprefix("else ").strip("`").replace("~", "/home/me")


def shown(value, name):
    if name == "EXECUTION_DIR":
        return "the system's temporary folder"
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value in ("", ()) else str(value)


# -- errors --------------------------------------------------------------------------------------


def error_classes():
    """Every error of the package that has a code of its own."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                module = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
                kind = getattr(importlib.import_module(module), node.name)
                if issubclass(kind, RunbookError) and "code" in vars(kind):
                    yield kind


ERRORS = {kind.code: kind for kind in error_classes()}
PROBLEMS = {code_spans(row[0])[0]: row[1:] for row in rows(docs("problems"))}
# What the web framework, or a fault of ours, answers without an error class.
BARE_PROBLEMS = {
    "method_not_allowed": MethodNotAllowed.code,
    "request_entity_too_large": RequestEntityTooLarge.code,
    "internal_error": 500,
    "not_implemented": 501,
}


def test_there_are_errors_to_document():
    assert {"not_found", "rate_limited", "workspace_failed"} <= ERRORS.keys()


def test_every_error_code_is_documented_and_nothing_else():
    assert PROBLEMS.keys() == ERRORS.keys() | BARE_PROBLEMS.keys()


@pytest.mark.parametrize("code", ERRORS)
def test_an_error_has_the_documented_statuses(code):
    http_status, exit_code, advice = PROBLEMS[code]
    assert http_status in (str(ERRORS[code].http_status), "-")
    assert exit_code == str(ERRORS[code].exit_code)
    assert advice


@pytest.mark.parametrize("code", BARE_PROBLEMS)
def test_the_frameworks_own_refusals_have_the_documented_status(code):
    assert PROBLEMS[code][:2] == [str(BARE_PROBLEMS[code]), "-"]


def test_every_error_code_can_be_linked_to():
    for code in PROBLEMS:
        assert f'<a id="{code}"></a>' in read(docs("problems"))


# -- runs ----------------------------------------------------------------------------------------


def test_every_status_is_documented_with_what_can_follow():
    found = {code_spans(row[0])[0]: row[2] for row in rows(docs("runs"), "Statuses")}
    assert found.keys() == set(RunStatus)
    for status in RunStatus:
        following = set(code_spans(found[status]))
        if "every ending below" in found[status]:
            following = set(TRANSITIONS[RunStatus.RUNNING])
        assert following == TRANSITIONS[status], status


def test_every_ending_has_its_return_code_documented():
    found = {code_spans(row[0])[0] for row in rows(docs("runs"), "Return codes")}
    assert found == {status for status in RunStatus if status.terminal}


def test_every_event_is_documented():
    found = {code_spans(row[0])[0] for row in rows(docs("runs"), "Events")}
    assert found == set(EventType)


# -- API -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("app")
    environment = {"DATA_DIR": str(folder / "data"), "RUNBOOKS_DIR": str(folder)}
    settings = Settings.load(environment, rate_limit_enabled=False)
    engine = build_engine(settings, Role.FOLLOWER)
    yield create_app(
        Application(settings, engine, build_authenticator(settings), CollectorRegistry())
    )
    engine.store.close()


@pytest.fixture(scope="module")
def documented_routes():
    return {code_spans(row[0])[0] for row in rows(docs("api"), "Paths")}


def method_and_path(method, path):
    return f"{method} {path.replace('run_id', 'id')}"


def test_every_route_of_the_openapi_document_is_documented(app, documented_routes):
    described = document(app.url_map, app.view_functions)["paths"]
    served = {
        method_and_path(method.upper(), path)
        for path, operations in described.items()
        for method in operations
    }
    assert len(served) > 15
    assert served <= documented_routes


def test_every_documented_route_is_served(app, documented_routes):
    served = {
        method_and_path(method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods
    }
    assert documented_routes <= served


# -- command line --------------------------------------------------------------------------------


def commands(group=cli, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name):
    assert f"\n### runbook {name}\n" in read(docs("cli"))


def test_every_json_output_is_documented():
    spans = [span for row in rows(docs("cli"), "JSON") for span in code_spans(row[0])]
    documented = {re.sub(r" [A-Z]+$", "", span) for span in spans}
    with_json = {
        name
        for name, command in COMMANDS.items()
        if any("--json" in option.opts for option in command.params)
    }
    assert documented == with_json


def test_the_table_of_exit_codes_is_complete():
    cells = [row[0] for row in rows(docs("cli"), "Exit codes")]
    documented = {int(code) for cell in cells for code in re.findall(r"\d+", cell)}
    of_runs = {exit_codes.of_run({"status": status, "return_code": 0}) for status in RunStatus}
    of_errors = {kind.exit_code for kind in ERRORS.values()}
    by_signal = {click.exceptions.Exit.exit_code} if hasattr(click.exceptions.Exit, "x") else set()
    # 74: a file cannot be read or written; 141: nobody reads the output any more.
    assert documented == of_runs | of_errors | by_signal | {74, 141}


@pytest.mark.parametrize(
    "status", [status for status in RunStatus if exit_codes.of_run({"status": status}) > 1]
)
def test_the_exit_code_of_an_ending_is_documented(status):
    code = exit_codes.of_run({"status": status})
    words = {"refused": "refused", "invalid": "not valid", "timed_out": "timed out"}
    (meaning,) = [row[1] for row in rows(docs("cli"), "Exit codes") if row[0] == str(code)]
    assert words.get(status, status) in meaning


# -- the format ----------------------------------------------------------------------------------


def format_section(heading):
    (text,) = [text for name, text in sections(read(FORMAT)) if name == heading]
    return text


def test_every_reserved_name_is_documented():
    spans = set(code_spans(format_section("Reserved names")))
    prefixes = {span.removesuffix("*") for span in spans if span.endswith("*")}
    names = {span for span in spans if not span.endswith("*")} - {"GIT_BRANCH", "PYTHON_VERSION"}
    assert names == RESERVED
    assert prefixes == set(RESERVED_PREFIXES)


def test_every_language_is_documented():
    documented = {
        span
        for row in rows(FORMAT)
        if "without start-up files" in row[1] or "isolated" in row[1]
        for span in code_spans(row[0])
    }
    assert documented == set(LANGUAGES)


def examples():
    """The fenced Markdown blocks of RUNBOOK.md, by their first line."""
    tokens = MarkdownIt("commonmark").parse(read(FORMAT))
    blocks = [token.content for token in tokens if token.type == "fence"]
    infos = [token.info for token in tokens if token.type == "fence"]
    return [text for text, info in zip(blocks, infos) if info == "markdown"]


def test_the_complete_example_is_valid():
    (example,) = [text for text in examples() if "# History" in text]
    assert parse(example.encode()).problems == ()


def test_the_example_of_steps_is_valid():
    (steps,) = [text for text in examples() if text.startswith("# Script")]
    (example,) = [text for text in examples() if "# History" in text]
    before, after = example.split("# Script")[0], "\n# History\n"
    found = parse((before + steps + after).encode())
    assert found.problems == ()
    assert [step.name for step in found.runbook.steps] == ["Collect", "Report"]


@pytest.mark.parametrize(
    ("heading", "section"),
    [
        ("Environment Requirements: inputs", "Environment Requirements"),
        ("File System Requirements: files", "File System Requirements"),
        ("Required Claims: who may execute", "Required Claims"),
    ],
)
def test_the_examples_of_declarations_are_valid(heading, section):
    block = re.search(r"^```yaml\n.*?^```$", format_section(heading), re.MULTILINE | re.DOTALL)
    (example,) = [text for text in examples() if "# History" in text]
    old = re.search(rf"# {section}\n\n```yaml\n.*?```", example, re.DOTALL)
    found = parse(example.replace(old[0], f"# {section}\n\n{block[0]}").encode())
    assert found.problems == ()


def test_the_example_of_a_history_entry_looks_like_one():
    (entry,) = [text for text in examples() if "Exit Code" in text]
    assert ENTRY_HEAD.match(entry.encode())


def test_every_problem_of_a_runbook_is_documented_in_its_words():
    documented = problem_texts()
    for pattern in messages():
        assert any(re.fullmatch(pattern, text) for text in documented), pattern


def test_no_documented_problem_is_out_of_date():
    patterns = messages()
    for text in problem_texts() - {"… is not valid Unicode (lone surrogate)"}:
        assert any(re.fullmatch(pattern, text) for pattern in patterns), text


def problem_texts():
    table = rows(FORMAT, "Errors and what to do")
    return {span for row in table for span in code_spans(row[0])}


@cache
def messages():
    """What can stand in a Problem, as patterns: placeholders match anything."""
    files = [*SOURCE.glob("core/*.py"), SOURCE / "library" / "refs.py"]
    return {found for path in files for found in messages_of(ast.parse(path.read_text()))}


def messages_of(tree):
    """The second argument of Problem(...); where that is a name, all that is assigned to it."""
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        nodes = list(ast.walk(function))
        calls = [node for node in nodes if isinstance(node, ast.Call) and name_of(node) in MAKERS]
        for call in calls:
            message = call.args[MAKERS[name_of(call)]]
            yield from filter(None, (pattern_of(value) for value in values(message, nodes)))


MAKERS = {"Problem": 1, "_claims_error": 0}


def name_of(call):
    return call.func.id if isinstance(call.func, ast.Name) else None


def values(message, nodes):
    if not isinstance(message, ast.Name):
        return [message]
    return [
        node.value
        for node in nodes
        if isinstance(node, ast.Assign) and node.targets[0].id == message.id
    ]


def pattern_of(value):
    """None for what is no text of its own."""
    if isinstance(value, ast.Constant):
        return re.escape(value.value)
    if isinstance(value, ast.JoinedStr):
        parts = (re.escape(p.value) if isinstance(p, ast.Constant) else ".+" for p in value.values)
        return "".join(parts)
    return None


# -- links ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_internal_link_leads_somewhere(path):
    for target in links(path):
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def links(path):
    tokens = MarkdownIt("commonmark").enable("table").parse(read(path))
    inner = [child for token in tokens for child in token.children or ()]
    targets = [child.attrs["href"] for child in inner if child.type == "link_open"]
    return [target for target in targets if "://" not in target]


def anchors(path):
    headings = re.findall(r"^#{1,6} (.+)$", outside_fences(read(path)), re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', read(path)))


def test_there_are_links_to_follow():
    assert len(links(ROOT / "README.md")) > 5


def test_every_document_is_found_from_the_readme():
    found, waiting = set(), [ROOT / "README.md"]
    while waiting:
        path = waiting.pop().resolve()
        if path.suffix == ".md" and path not in found:
            found.add(path)
            waiting += [path.parent / link.partition("#")[0] for link in links(path)]
    assert set(DOCUMENTS) - {docs("adr/000-template")} <= found


def test_every_source_file_that_a_document_names_exists():
    for path in DOCUMENTS:
        for span in code_spans(outside_fences(read(path))):
            if re.fullmatch(r"[a-z_]+/[a-z_/]+\.(py|sh)", span):
                assert any((base / span).exists() for base in (ROOT, SOURCE)), (path, span)
