"""Every word of the specification stands in a tested runbook of ours, by the code's own tables."""

import re
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest
import yaml

import runbook
from runbook.core.authoring.cases import CASE_KEYS
from runbook.core.document import InputType, Language, OnBusy, OnFailure, Operand, SecretKind
from runbook.core.inputs import declarations as input_declarations
from runbook.core.language import declarations, policy, retries, step_options, steps
from runbook.core.language.parse import parse
from runbook.core.outcome import PlanLabel
from runbook.core.syntax.section_names import SectionName
from runbook.engine.process.workspace import HandOver

ROOT = Path(__file__).parents[2]
# The samples, and the bundled toolkits: a sample has no system to connect to.
TESTED = sorted(
    path
    for folder in (ROOT / "samples" / "runbooks", ROOT / "runbooks")
    for path in folder.rglob("*.md")
    if path.with_suffix(".test.yaml").is_file()
)


class Sample:
    """What a sample says, as it is written."""

    def __init__(self, path):
        self.path = path
        self.text = path.read_text()
        found = parse(path.read_bytes(), stem=path.stem)
        assert found.problems == (), path
        self.runbook = found.runbook
        self.sections = dict(re.findall(r"(?ms)^# ([^\n]+)\n(.*?)(?=^# |\Z)", self.text))
        self.cases = yaml.safe_load(path.with_suffix(".test.yaml").read_text())["cases"]

    def blocks(self, section):
        """The YAML blocks of a section, read."""
        text = self.sections.get(section, "")
        return [
            yaml.load(b, yaml.BaseLoader) or {}
            for b in re.findall(r"(?ms)^```yaml\n(.*?)^```$", text)
        ]

    @property
    def inputs(self):
        (block,) = self.blocks(SectionName.ENVIRONMENT)
        return [{} if isinstance(item, str) else item for item in block.values()]

    @property
    def rules(self):
        return self.blocks(SectionName.POLICY)

    @property
    def options(self):
        return self.blocks(SectionName.SCRIPT)

    @property
    def scripts(self):
        return [
            script.source
            for step in self.runbook.steps
            for script in (step.script, step.undo)
            if script
        ]


@cache
def samples():
    return [Sample(path) for path in TESTED]


def union(words):
    return {word for sample in samples() for word in words(sample)}


def keys(mappings):
    return {key for mapping in mappings for key in mapping}


def retry_keys(sample):
    given = [item.get("retry") for item in (*sample.rules, *sample.options)]
    return keys(item for item in given if isinstance(item, dict))


def conditions(sample):
    return [condition for step in sample.runbook.steps for condition in step.conditions]


WORDS = {
    "sections": (SectionName, lambda s: s.sections),
    "keys of inputs": (input_declarations.KEYS, lambda s: keys(s.inputs)),
    "types of inputs": (InputType, lambda s: {item.type for item in s.runbook.inputs}),
    "forms of inputs": ({True, False}, lambda s: {item.typed for item in s.runbook.inputs}),
    "sources of secrets": (
        SecretKind,
        lambda s: {item.source.kind for item in s.runbook.inputs if item.source},
    ),
    "forms of choices_from": (
        {str, dict},
        lambda s: {type(item["choices_from"]) for item in s.inputs if "choices_from" in item},
    ),
    "keys of files": (declarations.FILE_KEYS, lambda s: keys(s.blocks(SectionName.FILES))),
    "keys of policies": (policy.KEYS, lambda s: keys(s.rules)),
    "on_busy": (OnBusy, lambda s: {rule.get("on_busy") for rule in s.rules}),
    "on_failure": (OnFailure, lambda s: {rule.get("on_failure") for rule in s.rules}),
    "keys of retry": (retries.KEYS, retry_keys),
    "options of steps": (step_options.KEYS, lambda s: keys(s.options)),
    "what conditions look at": (Operand, lambda s: {c.operand for c in conditions(s)}),
    "signs of conditions": ({True, False}, lambda s: {c.negated for c in conditions(s)}),
    "languages": (Language, lambda s: {step.script.language for step in s.runbook.steps}),
    "infos of scripts": (steps.LANGUAGES, lambda s: re.findall(r"(?m)^```(\w+)$", s.text)),
    "undo": ({True, False}, lambda s: {step.undo is not None for step in s.runbook.steps}),
    "stepped or not": ({True, False}, lambda s: {s.runbook.stepped}),
    "labels of plans": (
        set(PlanLabel) - {PlanLabel.UNKNOWN},
        lambda s: re.findall("verified|assumed", "\n".join(s.scripts)),
    ),
    "keys of test cases": (CASE_KEYS, lambda s: keys(s.cases)),
}


@pytest.mark.parametrize("words", WORDS)
def test_each_word_has_an_example_that_is_tested(words):
    known, used = WORDS[words]
    assert set(known) - union(used) == set()


COMMANDS = [
    *sorted({field.name for field in fields(HandOver)} - {"artifacts", "effects"}),
    "artifact",
    "call",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_hand_over_has_an_example_that_is_tested(command):
    scripts = [script for sample in samples() for script in sample.scripts]
    assert any(re.search(rf"\brunbook {command}\b", script) for script in scripts) or any(
        f"runbook.{command}(" in script for script in scripts
    )


def test_scripts_show_each_way_to_hand_over():
    """By command, by function and by writing the file."""
    text = "\n".join(script for sample in samples() for script in sample.scripts)
    functions = {name for name in runbook.__all__ if name[0].islower()}
    # A fan-out needs devices of a server: see test_fanout.
    assert set(COMMANDS) | {"dry_run", "fanout"} == functions
    assert re.search(r"(?m)^runbook \w", text)
    assert re.search(r"(?m)^\s*runbook\.\w+\(", text)
    assert re.search(r'>> "\$RUNBOOK_\w+"', text)
    assert "$RUNBOOK_DRY_RUN" in text
    assert "runbook.dry_run()" in text
