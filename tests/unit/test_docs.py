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
from werkzeug.exceptions import (
    MethodNotAllowed,
    RequestedRangeNotSatisfiable,
    RequestEntityTooLarge,
)

from runbook import __version__
from runbook import settings as configuration
from runbook.api.app import create_app
from runbook.api.context import Application
from runbook.api.openapi.document import document
from runbook.bootstrap import build_authenticator, build_engine
from runbook.cli.app import cli
from runbook.cli.commands import BROKEN_PIPE_CODE, CANCELLED_CODE, IO_ERROR_CODE
from runbook.cli.terminal import exit_codes
from runbook.core.audit import AuditAction
from runbook.core.document import UNCLASSIFIED
from runbook.core.events import EventType
from runbook.core.status import TRANSITIONS, RunStatus
from runbook.engine.record.reaper import WORKER_DIED
from runbook.engine.wakeups import Role
from runbook.errors import RunbookError
from runbook.resources.artifact import ArtifactJson
from runbook.resources.declaration import RequiredEnvJson
from runbook.resources.history import HistoryHeadJson, HistoryPageJson, LegacyEntryJson
from runbook.resources.problem import ProblemItemJson
from runbook.resources.report import ReportJson
from runbook.resources.rerun import RunDocumentJson
from runbook.resources.run import LockHolderJson, RunPageJson, StepRunJson, WholeRunJson
from runbook.resources.runbook import ListedRunbookJson, RunbookContentJson
from runbook.resources.server import (
    ConfigJson,
    DatabaseStateJson,
    PublicInfoJson,
    QueueStateJson,
    StatusJson,
    WebAppStateJson,
    WorkerStateJson,
)
from runbook.settings import FIELDS, Settings

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "runbook"
README = ROOT / "README.md"
CHANGELOG = ROOT / "CHANGELOG.md"
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


def section(path, heading):
    """The text below one level-2 heading, outside code blocks."""
    parts = re.split(r"^## (.+)$", outside_fences(read(path)), flags=re.MULTILINE)
    return parts[parts.index(heading) + 1]


def rows(text):
    """The cells of every row of every table, without the tables' heads."""
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    lines = [line for table in tables for line in table.splitlines()[2:]]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def code_spans(text):
    return re.findall(r"`([^`]+)`", text)


def first_spans(table):
    """The names in the first column of a table."""
    return {span for row in table for span in code_spans(row[0])}


# -- settings ------------------------------------------------------------------------------------

SETTINGS = {code_spans(row[0])[0]: row[1] for row in rows(read(docs("configuration")))}
PLACES = {"checkout": (True, False), "image": (False, True), "elsewhere": (False, False)}


def test_every_setting_is_documented_and_nothing_else():
    assert SETTINGS.keys() == {name.upper() for name in FIELDS}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", SETTINGS)
def test_a_default_is_the_documented_one(name, place, monkeypatch):
    in_checkout, in_image = PLACES[place]
    monkeypatch.setattr(configuration, "in_checkout", lambda: in_checkout)
    monkeypatch.setattr(configuration, "in_image", lambda: in_image)
    monkeypatch.setattr(configuration, "CHECKOUT", Path())
    monkeypatch.setenv("HOME", "/home/me")
    default = getattr(Settings.load({}), name.lower())

    if name == "EXECUTION_DIR":
        default = "the system's temporary folder"
    assert documented_default(SETTINGS[name], place) == shown(default)


def documented_default(cell, place):
    """Of a cell like "`X` in a checkout, `Y` in an image, else `Z`": what holds in this place."""
    *others, last = cell.split(", ")
    for part in others:
        value, _, where = part.partition(" in a")
        if where.endswith(place):
            return value.strip("`")
    return last.removeprefix("else ").strip("`").replace("~", "/home/me")


def shown(value):
    if hasattr(value, "get_secret_value"):
        value = value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value in ("", ()) else str(value)


# -- errors --------------------------------------------------------------------------------------


def error_classes():
    """Every error class of the package with its own code."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                module = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
                kind = getattr(importlib.import_module(module), node.name)
                if issubclass(kind, RunbookError) and "code" in vars(kind):
                    yield kind


ERRORS = {kind.code: kind for kind in error_classes()}
# What the web framework, or a fault of ours, answers without an error class.
BARE_PROBLEMS = {
    "method_not_allowed": MethodNotAllowed.code,
    "request_entity_too_large": RequestEntityTooLarge.code,
    "requested_range_not_satisfiable": RequestedRangeNotSatisfiable.code,
    "uri_too_long": 414,
    "expectation_failed": 417,
    "headers_too_large": 431,
    "internal_error": 500,
    "not_implemented": 501,
}
RECORDED = first_spans(rows(section(docs("problems"), "In the record of a run")))
CODES = "Codes of problems"
PROBLEMS = {
    code_spans(row[0])[0]: row[1:] for row in rows(read(docs("problems")).split(f"## {CODES}")[0])
}
ANSWERED = ERRORS.keys() - RECORDED


def test_the_errors_of_all_layers_are_looked_at():
    assert {"error", "rate_limited", "workspace_failed", "process_start_failed"} <= ERRORS.keys()


def test_every_error_code_is_documented_and_nothing_else():
    assert PROBLEMS.keys() == ERRORS.keys() | BARE_PROBLEMS.keys()


@pytest.mark.parametrize("code", sorted(ANSWERED))
def test_an_error_has_the_documented_status_and_exit_code(code):
    expected = [str(ERRORS[code].http_status), str(ERRORS[code].exit_code)]
    assert PROBLEMS[code][:2] == expected


@pytest.mark.parametrize("code", BARE_PROBLEMS)
def test_the_frameworks_own_refusals_have_the_documented_status(code):
    assert PROBLEMS[code][:2] == [str(BARE_PROBLEMS[code]), "-"]


@pytest.mark.parametrize("code", PROBLEMS)
def test_a_problem_can_be_linked_to_and_says_what_to_do(code):
    assert read(docs("problems")).count(f'<a id="{code}"></a>') == 1
    assert len(PROBLEMS[code][-1].split()) > 3


MAKERS = ("Problem", "warning", "conflict")
HOLDER_PARAMS = {"lock", "run_id", "runbook", "by", "since"}
# Problems whose code or parameters aren't literals in the call that creates them.
NAMED = {
    UNCLASSIFIED: set(),
    WORKER_DIED: set(),
    "section_after_history": {"section"},
    "required_claims_after_history": {"section"},
    "step_failed": {"step", "n"},
    "step_timed_out": {"step", "n"},
    "lock_held": HOLDER_PARAMS,
    "deadlock": HOLDER_PARAMS,
    # In the rows of a list.
    "bad_env_vars": {"row", "field"},
    "bad_input_value": {"row", "field"},
    "missing_input": {"row", "field"},
    "undeclared_input": {"row", "field"},
}


def made_problems():
    """The code of every problem that the package makes, with the names of its parameters."""
    found = {code: set(names) for code, names in NAMED.items()}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MAKERS and node.args:
                for code in texts_in(node.args[0]):
                    found.setdefault(code, set()).update(params_of(node))
    return found


def texts_in(node):
    constants = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
    return [value for value in constants if isinstance(value, str)]


def params_of(call):
    if call.func.id != "Problem":
        return {keyword.arg for keyword in call.keywords}
    params = [keyword.value for keyword in call.keywords if keyword.arg == "params"]
    dicts = [part for node in params for part in ast.walk(node) if isinstance(part, ast.Dict)]
    return {key.value for found in dicts for key in found.keys if key is not None}


def test_every_code_of_a_problem_is_documented_with_its_parameters():
    table = rows(section(docs("problems"), CODES))
    assert {row[0].strip("`"): set(code_spans(row[1])) for row in table} == made_problems()


# -- runs ----------------------------------------------------------------------------------------


def test_every_status_is_documented_with_what_can_follow():
    table = {code_spans(row[0])[0]: row[2] for row in rows(section(docs("runs"), "Statuses"))}
    table["running"] = table["running"].replace("every final status below", all_endings(table))

    assert {status: set(code_spans(cell)) for status, cell in table.items()} == TRANSITIONS


def all_endings(table):
    """Statuses below `running` in the table, but for those that a run has from its birth."""
    below = list(table)[list(table).index("running") + 1 :]
    return " ".join(f"`{status}`" for status in below if status not in ("refused", "invalid"))


def test_every_ending_has_its_return_code_documented():
    table = rows(section(docs("runs"), "Return codes"))
    assert first_spans(table) == {status for status in RunStatus if status.terminal}


def test_every_event_of_a_run_is_documented():
    assert first_spans(rows(section(docs("runs"), "Events"))) == set(EventType)


LOG_EVENT = re.compile(
    r"(?:log\.(?:event|warning|failure|alert)|_log|\)\.info)"
    r'\(\s*"([a-z_.]+)"|"event": "([a-z_.]+)"'
)


def logged():
    """Every event in the source, and those that are named like their action in the audit log."""
    sources = "".join(read(path) for path in sorted(SOURCE.rglob("*.py")))
    found = {one or other for one, other in LOG_EVENT.findall(sources)}
    assert len(re.findall(r"log\.(?:event|warning|failure|alert)\((?!\s*\")", sources)) == 1
    return found | {AuditAction.RUN_PAUSE, AuditAction.RUN_CONTINUE}


def test_every_event_of_the_log_is_documented_and_nothing_else():
    assert first_spans(rows(read(docs("log-events")))) == logged()


# -- API -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("app")
    environment = {"DATA_DIR": str(folder / "data"), "RUNBOOKS_DIR": str(folder)}
    settings = Settings.load(environment, rate_limit_enabled=False)
    engine = build_engine(settings, Role.FOLLOWER)
    authenticator = build_authenticator(settings)
    yield create_app(Application(settings, engine, authenticator, None, CollectorRegistry()))
    engine.store.close()


DOCUMENTED_ROUTES = first_spans(rows(section(docs("api"), "Paths")))


def method_and_path(method, path):
    return f"{method.upper()} {path.replace('run_id', 'id')}"


def test_every_route_of_the_openapi_document_is_documented(app):
    paths = document(app.url_map, app.view_functions)["paths"]
    described = {method_and_path(verb, path) for path, verbs in paths.items() for verb in verbs}

    assert len(described) > 15
    assert described <= DOCUMENTED_ROUTES


def test_every_documented_route_is_served(app):
    served = {
        method_and_path(method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods
    }
    assert served >= DOCUMENTED_ROUTES


@pytest.mark.parametrize(
    ("heading", "model"),
    [
        ("GET /api/config", ConfigJson),
        ("GET /api/runbooks", ListedRunbookJson),
        ("GET /api/runbooks/{ref}", RunbookContentJson),
        ("GET /api/runbooks/{ref}/required-env", RequiredEnvJson),
        ("GET /api/runbooks/{ref}/history", HistoryPageJson),
        ("GET /api/runbooks/{ref}/history", HistoryHeadJson),
        ("GET /api/runbooks/{ref}/history", LegacyEntryJson),
        ("PATCH /api/runbooks/{ref}/validate", ReportJson),
        ("PATCH /api/runbooks/{ref}/validate", ProblemItemJson),
        ("GET /api/runs", RunPageJson),
        ("GET /api/status", StatusJson),
        ("GET /api/status", DatabaseStateJson),
        ("GET /api/status", QueueStateJson),
        ("GET /api/status", WorkerStateJson),
        ("GET /api/status", WebAppStateJson),
        ("GET /api/public", PublicInfoJson),
        ("GET /api/runs/{id}/document", RunDocumentJson),
        ("GET /api/runs/{id}", WholeRunJson),
        ("GET /api/runs/{id}", StepRunJson),
        ("GET /api/runs/{id}", LockHolderJson),
        ("GET /api/runs/{id}/artifacts", ArtifactJson),
    ],
)
def test_every_member_of_an_answer_is_documented(heading, model):
    words = set(re.findall(r"[`\"](\w+)[`\"]", section(docs("api"), heading)))
    assert model.__annotations__.keys() <= words


# -- command line --------------------------------------------------------------------------------


def commands(group=cli, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands())
EXIT_CODES = rows(section(docs("cli"), "Exit codes"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name):
    assert f"\n### runbook {name}\n" in read(docs("cli"))


def test_every_json_output_is_documented():
    spans = first_spans(rows(section(docs("cli"), "JSON")))
    with_json = {
        name
        for name, command in COMMANDS.items()
        if any("--json" in option.opts for option in command.params)
    }
    assert {re.sub(r" [A-Z]+$", "", span) for span in spans} == with_json


def test_the_table_of_exit_codes_is_complete():
    of_runs = {exit_codes.of_run({"status": status}) for status in RunStatus}
    of_errors = {ERRORS[code].exit_code for code in ANSWERED} | {click.UsageError.exit_code}
    of_the_rest = {CANCELLED_CODE, IO_ERROR_CODE, BROKEN_PIPE_CODE}

    documented = {int(code) for row in EXIT_CODES for code in re.findall(r"\d+", row[0])}
    assert documented == of_runs | of_errors | of_the_rest


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("invalid", "not valid"),
        ("interrupted", "interrupted"),
        ("lost", "lost"),
        ("refused", "refused"),
        ("timed_out", "timed out"),
        ("cancelled", "cancelled"),
    ],
)
def test_the_exit_code_of_an_ending_is_documented(status, words):
    code = str(exit_codes.of_run({"status": status}))
    assert [words in row[1] for row in EXIT_CODES if row[0] == code] == [True]


# -- links and names -----------------------------------------------------------------------------


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


def test_every_document_is_found_from_the_readme():
    found, waiting = set(), [README]
    while waiting:
        path = waiting.pop().resolve()
        if path.suffix == ".md" and path not in found:
            found.add(path)
            waiting += [path.parent / link.partition("#")[0] for link in links(path)]
    assert set(DOCUMENTS) - {docs("adr/000-template")} <= found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_of_ours_that_a_document_names_exists(path):
    for span in code_spans(outside_fences(read(path))):
        if re.fullmatch(r"(\w+/)+\w+\.(py|sh)|samples/\S+\.md", span):
            assert any((base / span).exists() for base in (ROOT, SOURCE)), span


def test_every_setting_that_a_document_names_in_a_sentence_exists():
    known = SETTINGS.keys() | {"RUNBOOK_TOKEN", "RUNBOOK_URL_BASE", "RUNBOOK_MASK"}
    for path in (README, ROOT / "SECURITY.md", docs("operations")):
        spans = code_spans(outside_fences(read(path)))
        names = {name for span in spans for name in re.findall(r"^[A-Z]+_[A-Z_]+", span)}
        assert names - {"LD_PRELOAD"} <= known, path


def test_the_changelog_has_this_version():
    assert re.search(rf"^## \[{__version__}\] - \d{{4}}-\d\d-\d\d$", read(CHANGELOG), re.MULTILINE)
