import pytest

from runbook.core.document import Condition, Operand


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
