import pytest

from runbook.core.document import (
    Condition,
    Document,
    Language,
    Operand,
    Problem,
    Runbook,
    Severity,
    Step,
    texts_of,
    warning,
)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Condition(Operand.INPUT, "MODE", "full"), True),
        (Condition(Operand.INPUT, "MODE", "Full"), False),
        (Condition(Operand.INPUT, "MODE", "full", negated=True), False),
        (Condition(Operand.INPUT, "MODE", "fast", negated=True), True),
        (Condition(Operand.OUTPUT, "MODE", "full"), False),
        (Condition(Operand.OUTPUT, "vm", "104"), True),
        (Condition(Operand.OUTPUT, "absent", ""), True),
        (Condition(Operand.INPUT, "absent", "", negated=True), False),
    ],
)
def test_a_condition_compares_text(condition, holds):
    assert condition.holds({"MODE": "full"}, {"vm": "104"}) is holds


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (Condition(Operand.INPUT, "MODE", "full"), "inputs.MODE == 'full'"),
        (Condition(Operand.OUTPUT, "vm", "", negated=True), "outputs.vm != ''"),
    ],
)
def test_a_condition_in_words(condition, text):
    assert condition.text == text


@pytest.mark.parametrize(
    ("message", "line", "text"),
    [
        ("Unknown key 'K'", 7, "Unknown key 'K' (line 7)"),
        ("Unknown key 'K'", None, "Unknown key 'K'"),
        ("Missing required section: Script", 7, "Missing required section: Script"),
    ],
)
def test_a_problem_in_one_line_keeps_the_old_wordings(message, line, text):
    assert Problem("code", message, line).text == text


def test_problems_are_told_as_texts_in_order():
    assert texts_of([Problem("a", "wrong", 3), Problem("b", "odd")]) == ["wrong (line 3)", "odd"]


def test_a_warning_about_a_run_has_parameters_and_no_line():
    found = warning("late", "Too late", seconds=5)
    assert (found.code, found.severity, found.line) == ("late", Severity.WARNING, None)
    assert found.params == {"seconds": 5}


def test_a_document_has_errors_and_warnings():
    error = Problem("a", "wrong")
    warning = Problem("b", "odd", severity=Severity.WARNING)
    document = Document("R", None, (warning, error), "d", 0, None)
    assert document.errors == (error,)
    assert document.warnings == (warning,)


@pytest.mark.parametrize(("heading_line", "stepped"), [(7, True), (None, False)])
def test_steps_have_headings_of_their_own(heading_line, stepped):
    step = Step("a", Language.ZSH, "true", 9, heading_line=heading_line)
    assert Runbook("R", "", (), (), (), None, (step,)).stepped is stepped
