"""What lint says of a runbook, and what it keeps silent about."""

import dataclasses

import pytest

from runbook.core.authoring.lint import (
    CalledRef,
    Surroundings,
    called_refs,
    choices_sources,
    lint,
)
from runbook.core.document import ChoicesSource, Condition, Operand, Policy, Script, Severity
from runbook.core.document import Language as Lang
from runbook.core.language.parse import parse
from runbook.core.recovery.rule import Recovery

TEMPLATE = """\
# Demo
{above}
# Environment Requirements
```yaml
{inputs}
```
# File System Requirements
```yaml
Input: {files}
```
# Script
```{language}
{script}
```
# History
"""
HOST = "HOST: A name."
ANY = Surroundings()


def document(script="true", *, inputs="", files="", language="zsh", above="Text."):
    text = TEMPLATE.format(
        script=script, inputs=inputs, files=files, language=language, above=above
    )
    return parse(text.encode(), stem="Demo"), text.encode()


def findings(script="true", around=ANY, **parts):
    found, text = document(script, **parts)
    return [(problem.code, problem.line) for problem in lint(found, text, around)]


def codes(*args, **parts):
    return [code for code, _ in findings(*args, **parts)]


def changed(found, **parts):
    runbook = dataclasses.replace(found.runbook, **parts)
    return dataclasses.replace(found, runbook=runbook, steps=runbook.steps)


def test_a_clean_runbook_has_no_finding():
    assert findings('ping "$HOST"', inputs=HOST) == []


def test_a_runbook_with_errors_has_those():
    found = parse(b"# Demo\n", stem="Demo")
    assert lint(found, b"# Demo\n", ANY) == list(found.problems)


@pytest.mark.parametrize("turn", [*"\u202a\u202b\u202c\u202d\u202e", *"\u2066\u2067\u2068\u2069"])
def test_characters_that_turn_the_direction_of_code_are_a_warning_on_their_line(turn):
    found, text = document(f"true\necho {turn}{turn} # \u202e", above="A text \u202e.")
    (problem,) = lint(found, text, ANY)
    assert (problem.code, problem.severity) == ("hidden_direction", Severity.WARNING)
    assert f"U+{ord(turn):04X}" in problem.message
    assert "U+202E" in problem.message
    assert text.decode().split("\n")[problem.line - 1].startswith("echo")
    assert problem in found.warnings


def test_inputs_are_looked_at_for_turned_text_and_marks_of_direction_are_none():
    assert "hidden_direction" in codes(inputs="HOST: A \u2067name.")
    assert codes("echo \u200e\u200f\u061c") == []


# -- undeclared variables ------------------------------------------------------------------------


def test_an_undeclared_variable_is_a_warning_on_its_line():
    found, text = document("true\necho $HOTS", inputs="")
    (problem,) = lint(found, text, ANY)
    assert problem.code == "undeclared_variable"
    assert problem.severity is Severity.WARNING
    assert text.decode().split("\n")[problem.line - 1] == "echo $HOTS"
    assert "HOTS" in problem.message


def test_a_variable_is_reported_once():
    assert findings("echo $HOTS\necho $HOTS") == [("undeclared_variable", 13)]


def test_python_is_looked_at_as_well():
    assert codes('import os\nprint(os.environ["HOTS"])', language="python") == [
        "undeclared_variable"
    ]


@pytest.mark.parametrize(
    "script",
    [
        "echo $RUNBOOK_URL $HOME $PATH $TMPDIR",
        "echo $SECONDS $RANDOM $UID $MATCH",
        "echo $lower $Mixed",
        "HOTS=1; echo $HOTS",
        "export HOTS=1; echo $HOTS",
        "local HOTS; HOTS+=x; echo $HOTS",
        "typeset -A HOTS; echo $HOTS",
        "for HOTS in a b; do echo $HOTS; done",
        "read -r HOTS; echo $HOTS",
        "while IFS=, read -r A HOTS; do echo $HOTS; done",
        "printf -v HOTS %s x; echo $HOTS",
        "(( HOTS = 3 )); echo $HOTS",
        "HOTS[1]=x; echo $HOTS",
        ': "${HOTS:=x}"; echo $HOTS',
        "runbook env HOTS=x; echo $HOTS",
        "runbook env 'HOTS=x'; echo $HOTS",
        'echo "HOTS=x" >> "$RUNBOOK_ENV"; echo $HOTS',
        'cat vars >> "$RUNBOOK_ENV"; echo $HOTS',
        "runbook env $made; echo $HOTS",
        "source vars; echo $HOTS",
        "echo '$HOTS'; echo \\$HOTS # $HOTS",
        "cat <<'EOF'\n$HOTS\nEOF",
        "echo 'open; echo $HOTS",
    ],
)
def test_nothing_is_said_of_what_may_be_set(script):
    assert codes(script) == []


@pytest.mark.parametrize("script", ["echo ${HOTS:-x}", "true\necho ${HOTS-}", "echo ${HOTS:+x}"])
def test_a_default_does_not_declare_a_variable(script):
    assert codes(script) == ["undeclared_variable"]
    assert codes(script, inputs="HOTS:\n  optional: true") == []


def test_what_every_script_gets_needs_no_declaration():
    assert codes("echo ${TERM:-dumb} ${USER:-me} $LOGNAME") == []


def test_bash_sets_other_variables():
    assert codes("echo $HOSTNAME $BASH_VERSION $PIPESTATUS", language="bash") == []
    assert codes("echo $PIPESTATUS") == ["undeclared_variable"]


def test_python_may_set_what_it_reads():
    script = 'import os\nos.environ["HOTS"] = "x"\nprint(os.environ["HOTS"])'
    assert codes(script, language="python") == []


def test_what_the_server_passes_is_known():
    assert codes("echo $SITE", Surroundings(passed=("SITE",))) == []


def test_scripts_that_undo_are_looked_at():
    found, text = document()
    step = dataclasses.replace(
        found.runbook.steps[0], undo=Script(Lang.ZSH, "true\necho $HOTS", 40)
    )
    (problem,) = lint(changed(found, steps=(step,)), text, ANY)
    assert (problem.code, problem.line) == ("undeclared_variable", 41)


# -- unused inputs -------------------------------------------------------------------------------


def test_an_unused_input_is_a_warning_on_its_line():
    assert findings(inputs=f"{HOST}\nPORT: A number.") == [("unused_input", 5), ("unused_input", 6)]


@pytest.mark.parametrize("script", ["echo $HOST", "# HOST is for ansible", "env", 'x "${(P)n}"'])
def test_a_mention_is_a_use(script):
    assert codes(script, inputs=HOST) == []


def test_python_may_read_all():
    script = "import os\nprint(dict(os.environ))"
    assert codes(script, inputs=HOST, language="python") == []


def test_input_files_may_read_inputs():
    assert codes(inputs=HOST, files="script.sh") == []


@pytest.mark.parametrize(
    "policy", [Policy(locks=("host:${HOST}",)), Policy(confirm="$HOST"), Policy(queue="$HOST")]
)
def test_a_policy_uses_inputs(policy):
    found, text = document(inputs=HOST)
    assert lint(changed(found, policy=policy), text, ANY) == []


def test_a_condition_uses_inputs():
    found, text = document(inputs=HOST)
    condition = Condition(Operand.INPUT, "HOST", "a")
    step = dataclasses.replace(found.runbook.steps[0], conditions=(condition,))
    assert lint(changed(found, steps=(step,)), text, ANY) == []


# -- secrets, scripts, calls ---------------------------------------------------------------------


def test_a_secret_in_the_short_form_is_a_warning():
    assert findings("echo $PASSWORD", inputs="PASSWORD: Of the router.") == [("secret_by_name", 5)]
    assert findings("echo $PASSWORD", inputs="PASSWORD:\n  type: secret") == []


def test_python_that_cannot_be_read_is_an_error_on_its_line():
    found, text = document("x = 1\ny = (", language="python")
    (problem,) = lint(found, text, ANY)
    assert (problem.code, problem.line) == ("script_syntax", 14)
    assert problem.severity is Severity.ERROR


@pytest.mark.parametrize(
    "script",
    [
        "runbook call Other.md",
        "runbook call --env A=1 'Other.md' --json",
        "x=$(runbook call Other.md)",
        'curl "$RUNBOOK_URL/Other.md/execute"',
        "curl ${RUNBOOK_URL}/Other.md/execute",
        "curl $RUNBOOK_URL/%4fther.md/execute",
    ],
)
def test_a_called_runbook_must_exist(script):
    assert codes(script) == ["unknown_runbook"]
    assert codes(script, Surroundings(refs={"Other.md"})) == []


@pytest.mark.parametrize(
    "script",
    [
        "# runbook call Other.md",
        "runbook call $ref.md",
        "runbook call; echo Other.md",
        "echo Other.md",
    ],
)
def test_what_calls_no_known_name_is_no_finding(script):
    assert codes(script) == []


def test_choices_of_another_runbook_need_it():
    found, text = document(inputs=HOST)
    item = dataclasses.replace(found.inputs[0], choices_from=ChoicesSource("Hosts.md", "LIST"))
    found = dataclasses.replace(found, inputs=(item,))
    assert called_refs(found) == (CalledRef("Hosts.md", 5, beside=True),)
    assert "unknown_runbook" in [problem.code for problem in lint(found, text, ANY)]


def test_the_runbook_that_recovers_must_exist():
    found, text = document()
    policy = dataclasses.replace(found.runbook.policy, recover=Recovery("End.md"))
    runbook = dataclasses.replace(found.runbook, policy=policy)
    found = dataclasses.replace(found, runbook=runbook)
    assert [one.params for one in lint(found, text, ANY)] == [{"runbook": "End.md"}]
    assert lint(found, text, Surroundings(refs={"End.md"})) == []


LIVE = """\
HOST: A name.
NICS:
  type: list
  items:
    ZONE: {type: string, show_if: inputs.HOST != ""}
    BRIDGE: {type: choice, choices_from: {runbook: Bridges.md, inputs: [ZONE]}}
"""


def test_a_runbook_that_provides_choices_must_exist_and_provide_them():
    assert codes("echo $NICS", inputs=LIVE) == ["unknown_runbook"]
    plain, _ = document()
    around = Surroundings(refs={"Bridges.md"}, sources={"Bridges.md": plain})
    assert codes("echo $NICS", around, inputs=LIVE) == ["bad_choices_source"] * 2
    assert choices_sources(document(inputs=LIVE)[0]) == (CalledRef("Bridges.md", 10, beside=True),)


def test_an_input_that_another_one_refers_to_is_used():
    around = Surroundings(refs={"Bridges.md"})
    assert codes("echo $NICS", around, inputs=LIVE) == []
    assert codes("true", around, inputs=LIVE) == ["unused_input"]


# -- comments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "above",
    [
        "<!-- runbook-lint: disable=unused_input -->",
        "Text <!-- runbook-lint: disable=secret_by_name, unused_input -->",
    ],
)
def test_a_comment_switches_a_finding_off(above):
    assert codes(inputs=HOST, above=above) == []


def test_a_comment_switches_warnings_of_parsing_off():
    off = "<!-- runbook-lint: disable=empty_script -->"
    assert codes("", above="Text.") == ["empty_script"]
    assert codes("", above=off) == []


def test_a_comment_switches_no_error_off():
    off = "<!-- runbook-lint: disable=reserved_name -->"
    assert codes(inputs="PATH: x", above=off) == ["reserved_name"]


def test_a_comment_in_a_block_switches_nothing_off():
    above = "```text\n<!-- runbook-lint: disable=unused_input -->\n```"
    assert codes(inputs=HOST, above=above) == ["unused_input"]


def test_a_kind_of_connection_must_exist():
    inputs = "PVE: {type: connection, kind: proxmux}"
    assert findings("echo $PVE", Surroundings(kinds={"proxmox"}), inputs=inputs) == [
        ("unknown_connection_kind", 5)
    ]
    assert codes("echo $PVE", Surroundings(kinds={"proxmux"}), inputs=inputs) == []
    assert codes("echo $PVE", inputs=inputs) == []


@pytest.mark.parametrize("script", ["runbook device r1 site=x", "echo {} >> $RUNBOOK_DEVICES"])
def test_reports_of_devices_need_the_policy(script):
    assert codes(f"true\n# {script}\n{script}") == ["inventory_not_declared"]
    policy = "Text.\n\n# Policy\n```yaml\ninventory: update\n```"
    assert codes(script, above=policy) == []


def test_a_device_has_a_kind_that_exists():
    around = Surroundings(kinds=frozenset({"proxmox"}))
    assert codes("true $R", around, inputs="R: {type: device, kind: proxmux}") == [
        "unknown_connection_kind"
    ]
