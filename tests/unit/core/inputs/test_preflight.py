from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.core.document import (
    ChoicesSource,
    Document,
    Input,
    InputType,
    Problem,
    SecretKind,
    SecretSource,
)
from runbook.core.inputs.preflight import (
    GivenFile,
    GivenValues,
    InputFacts,
    ResolvedInputs,
    check_chain,
    coerce_values,
    required_env,
    resolve_inputs,
)

OLD = Input("OLD", "from before", 7)
STRING = Input("NAME", "", 8, InputType.STRING, typed=True)
SECRET = Input("PASSWORD", "", 9, InputType.SECRET, typed=True)
OPTIONAL = Input("NOTE", "", 10, InputType.STRING, typed=True, optional=True)
DEFAULT = Input("SIZE", "", 11, InputType.STRING, typed=True, default="small")


def resolve(
    declared: list[Input],
    given: dict[str, str] | None = None,
    supplied: dict[str, str] | None = None,
    **facts: Any,
) -> tuple[ResolvedInputs, list[str]]:
    known = InputFacts(supplied=supplied or {}, **facts)
    inputs, problems = resolve_inputs(declared, GivenValues(given or {}), known)
    return inputs, [problem.message for problem in problems]


@pytest.mark.parametrize(
    ("given", "supplied", "value"),
    [
        ({"SIZE": "asked"}, {"SIZE": "server"}, "asked"),
        ({}, {"SIZE": "server"}, "server"),
        ({}, {}, "small"),
        ({"SIZE": ""}, {"SIZE": "server"}, "server"),
        ({"SIZE": ""}, {}, "small"),
    ],
)
def test_the_request_comes_first_then_the_server_then_the_default(given, supplied, value):
    inputs, problems = resolve([DEFAULT], given, supplied)
    assert inputs.values == {"SIZE": value}
    assert problems == []


def test_a_missing_input_is_named_with_its_line():
    _, problems = resolve_inputs([OLD], GivenValues(), InputFacts())
    assert problems[0].message == "Required environment variable not set: OLD"
    assert (problems[0].line, problems[0].hint) == (7, "from before")


def test_set_but_empty_counts_as_set_in_the_old_form_only():
    assert resolve([OLD], {"OLD": ""})[0].values == {"OLD": ""}
    assert resolve([OLD], supplied={"OLD": ""})[1] == []
    assert resolve([STRING], {"NAME": ""})[1] == ["Required environment variable not set: NAME"]
    assert resolve([OPTIONAL], {"NOTE": ""})[0].values == {"NOTE": ""}


def test_an_optional_input_may_be_absent():
    inputs, problems = resolve([OPTIONAL])
    assert inputs.values == {}
    assert problems == []


def test_only_declared_names_are_taken_from_the_server():
    inputs, _ = resolve([OLD], {"OLD": "x"}, {"JWT_SECRET": "s", "OTHER": "o"})
    assert inputs.values == {"OLD": "x"}


def test_what_is_secret_and_what_is_shown():
    given = {"OLD": "a", "NAME": "b", "PASSWORD": "c", "EXTRA": "d"}
    inputs, problems = resolve([OLD, STRING, SECRET], given, allow_undeclared=True)
    assert problems == []
    assert inputs.values == given
    assert inputs.secrets == {"PASSWORD"}
    assert inputs.shown == {"OLD": None, "NAME": "b", "PASSWORD": None, "EXTRA": None}


def test_undeclared_names_are_refused_with_the_declared_ones():
    given = GivenValues({"OLD": "x", "NAME": "y", "NAMES": "z"})
    _, problems = resolve_inputs([OLD, STRING], given, InputFacts())
    assert [problem.message for problem in problems] == [
        "Environment variable is not declared by the runbook: NAMES (declared: OLD, NAME)"
    ]
    assert problems[0].hint == "Did you mean NAME?"


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "RUNBOOK_URL", "JWT_SECRET", "HTTP_PROXY"])
@pytest.mark.parametrize("allow_undeclared", [False, True])
def test_reserved_names_are_always_refused(name, allow_undeclared):
    declared = [Input(name, "", 1)]
    inputs, problems = resolve(
        declared, {name: "x"}, {name: "x"}, allow_undeclared=allow_undeclared
    )
    assert name not in inputs.values
    assert problems[0] == f"Environment variable is reserved and can't be set: {name}"


@pytest.mark.parametrize("name", ["", "A B", "A\n", "1", "A=B", "BASH_FUNC_x%%", "é"])
def test_names_that_are_none_are_always_refused(name):
    inputs, problems = resolve([], {name: "x"}, allow_undeclared=True)
    assert inputs.values == {}
    assert "is not a valid environment variable name" in problems[0]


def test_values_that_cannot_be_passed():
    assert "NUL" in resolve([OLD], {"OLD": "a\0"})[1][0]
    assert "too long" in resolve([OLD], supplied={"OLD": "x" * 70_000})[1][0]
    many = {f"A{n}": "x" * 60_000 for n in range(20)}
    assert "in total" in resolve([], many, allow_undeclared=True)[1][0]


@given(st.dictionaries(st.sampled_from(["OLD", "NAME", "PATH", "X", "é"]), st.text(max_size=5)))
def test_a_run_gets_only_what_was_declared(given_values):
    inputs, problems = resolve([OLD, STRING], given_values)
    assert set(inputs.values) <= {"OLD", "NAME"}
    assert inputs.shown.keys() == inputs.values.keys()
    assert problems or inputs.values == given_values


# -- typed inputs ---------------------------------------------------------------------------------

PORT = Input("PORT", "", 12, InputType.INTEGER, typed=True, minimum="1", optional=True)
FOUND = SecretSource(SecretKind.FILE, "db/password")
FETCHED = Input("TOKEN", "", 13, InputType.SECRET, typed=True, source=FOUND)
SITE = Input(
    "SITE", "", 14, InputType.CHOICE, typed=True, choices_from=ChoicesSource("Sites.md", "sites")
)
CONFIG = Input("CONFIG", "", 15, InputType.FILE, typed=True)


@pytest.mark.parametrize("source", ["given", "supplied"])
def test_a_value_is_checked_wherever_it_comes_from(source):
    assert resolve([PORT], **{source: {"PORT": "0"}})[1] == ["PORT must be at least 1: '0'"]
    assert resolve([PORT], **{source: {"PORT": "5"}})[1] == []


def test_a_default_that_only_other_choices_could_refuse_is_checked():
    item = replace(SITE, default="oslo")
    found, problems = resolve([item], choices={"SITE": ("rome", "bern")})
    assert problems == ["SITE must be one of rome, bern: 'oslo'"]
    assert resolve([item], choices={"SITE": ("oslo",)})[1] == []


def test_what_is_empty_counts_as_none_unless_it_is_an_optional_text():
    assert resolve([PORT], {"PORT": ""})[0].values == {}
    assert resolve([replace(PORT, optional=False)], {"PORT": ""})[1] == [
        "Required environment variable not set: PORT"
    ]
    short = replace(OPTIONAL, minimum="3", pattern="[a-z]+")
    assert resolve([short], {"NOTE": ""}) == (
        ResolvedInputs({"NOTE": ""}, frozenset(), {"NOTE": ""}),
        [],
    )
    assert resolve([short], {"NOTE": "ab"})[1] == ["NOTE must have at least 3 characters: 'ab'"]


def test_a_value_that_cannot_be_passed_is_not_judged_further():
    assert len(resolve([PORT], {"PORT": "\0"})[1]) == 1


def test_a_hidden_value_is_in_no_problem():
    assert resolve([PORT], {"PORT": "hunter2"}, hidden=frozenset({"PORT"}))[1] == [
        "PORT must be an integer"
    ]


def test_a_secret_is_found_where_its_source_says():
    inputs, problems = resolve([FETCHED], find_secret={FOUND: "hunter22"}.get)
    assert inputs.values == {"TOKEN": "hunter22"}
    assert inputs.secrets == {"TOKEN"}
    assert inputs.shown == {"TOKEN": None}
    assert problems == []


def test_the_callers_secret_wins():
    inputs, _ = resolve([FETCHED], {"TOKEN": "mine"}, find_secret={FOUND: "hunter22"}.get)
    assert inputs.values == {"TOKEN": "mine"}


def test_a_secret_with_a_source_is_not_looked_for_elsewhere():
    assert resolve([FETCHED], supplied={"TOKEN": "x"})[1] == [
        "Required environment variable not set: TOKEN"
    ]


@pytest.mark.parametrize("text", ["env:HOME_TOKEN", "file:db/password"])
def test_references_stand_only_in_the_document(text):
    inputs, _ = resolve([FETCHED], {"TOKEN": text}, find_secret={FOUND: "hunter22"}.get)
    assert inputs.values == {"TOKEN": text}


@pytest.mark.parametrize(
    ("item", "hint"),
    [
        (FETCHED, "It comes from a file on the server that is missing or empty"),
        (
            replace(FETCHED, source=SecretSource(SecretKind.ENV, "X"), description="Key."),
            "Key. It comes from an environment variable of the server that is missing or empty",
        ),
    ],
)
def test_a_missing_secret_says_which_kind_of_source_has_none(item, hint):
    _, problems = resolve_inputs([item], GivenValues(), InputFacts(find_secret=lambda _: ""))
    assert [(problem.message, problem.hint) for problem in problems] == [
        ("Required environment variable not set: TOKEN", hint)
    ]


def test_choices_that_are_not_known():
    unknown = Problem("choices_unknown", "not known")
    missing = "Required environment variable not set: SITE"
    assert resolve([SITE], {"SITE": "x"}, choices={"SITE": unknown})[1] == ["not known"]
    assert resolve([SITE], choices={"SITE": unknown})[1] == ["not known", missing]
    assert resolve([SITE], choices={"SITE": ("x",)})[1] == [missing]
    optional = replace(SITE, optional=True)
    assert resolve([optional], choices={"SITE": unknown})[1] == []


def test_a_file_is_given_in_the_request_only():
    file = GivenFile("app.yaml", b"a: 1")
    inputs, problems = resolve_inputs([CONFIG], GivenValues({}, {"CONFIG": file}), InputFacts())
    assert inputs == ResolvedInputs({}, frozenset(), {"CONFIG": None}, {"CONFIG": file})
    assert problems == []
    assert resolve([CONFIG], {"CONFIG": ""}, {"CONFIG": "/etc/passwd"})[1] == [
        "Required environment variable not set: CONFIG"
    ]
    assert resolve([replace(CONFIG, optional=True)]) == (ResolvedInputs(), [])


def test_what_was_refused_is_not_missing_too():
    given, problems = coerce_values({"CONFIG": "x"}, [CONFIG])
    assert [problem.message for problem in problems] == ["CONFIG must be a file"]
    assert resolve_inputs([CONFIG], given, InputFacts()) == (ResolvedInputs(), [])


# -- env_vars as they come over the wire --------------------------------------------------------


def test_values_become_text():
    raw = {"A": "x", "B": 5, "C": 2.5, "D": True, "E": False, "F": None, "G": -0.0}
    values, problems = coerce_values(raw)
    assert problems == []
    assert values.texts == {
        "A": "x",
        "B": "5",
        "C": "2.5",
        "D": "true",
        "E": "false",
        "F": "",
        "G": "-0.0",
    }


def test_null_means_none():
    assert coerce_values(None) == (GivenValues(), [])


@pytest.mark.parametrize("raw", [[], "A=x", 5, True, [["A", "x"]]])
def test_env_vars_must_be_an_object(raw):
    values, problems = coerce_values(raw)
    assert values == GivenValues()
    assert problems[0].code == "bad_env_vars"


@pytest.mark.parametrize("value", [[], {}, float("nan"), float("inf"), b"x", object()])
def test_values_must_be_scalars(value):
    values, problems = coerce_values({"A": value, "B": "x"})
    assert values == GivenValues({"B": "x"}, refused=frozenset({"A"}))
    assert problems[0].message.startswith("The value of A must be")


def test_a_number_of_thousands_of_digits_is_no_value():
    assert coerce_values({"A": 10**5000})[1][0].code == "bad_env_vars"


def test_names_must_be_text():
    assert coerce_values({5: "x"})[1][0].code == "bad_env_vars"


# -- the chain --------------------------------------------------------------------------------


def test_recursion():
    problem = check_chain("A.md", ["A.md", "B.md"], 50)
    assert problem is not None
    assert problem.message == (
        "Recursion detected: Runbook A.md already in execution chain: ['A.md', 'B.md']"
    )


def test_recursion_depth():
    assert check_chain("C.md", ("A.md",), 2) is None
    problem = check_chain("C.md", ("A.md", "B.md"), 2)
    assert problem is not None
    assert problem.message == "Recursion depth limit exceeded: 2 (max: 2)"


# -- required-env -----------------------------------------------------------------------------


def test_required_env_in_document_order():
    declared = (STRING, OLD, OPTIONAL, DEFAULT, SECRET)
    document = Document("x", None, (), "", 0, None, inputs=declared)
    facts = InputFacts({"SECRET": "x", "PASSWORD": "p", "OLD": ""})
    found = required_env(document, facts)
    assert found.required == declared
    assert found.available == (OLD, DEFAULT, SECRET)
    assert found.missing == (STRING,)


def test_required_env_counts_secrets_that_are_found():
    document = Document("x", None, (), "", 0, None, inputs=(FETCHED, CONFIG))
    found = required_env(document, InputFacts({"CONFIG": "x"}, {FOUND: "hunter22"}.get))
    assert (found.available, found.missing) == ((FETCHED,), (CONFIG,))
    assert required_env(document, InputFacts()).missing == (FETCHED, CONFIG)
