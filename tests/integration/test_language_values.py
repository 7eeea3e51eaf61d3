"""Any text given as an input reaches the script byte for byte, and never a shell's parser."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

INPUTS = """\
ONE: {type: string}
MANY: {type: text, optional: true}
HIDDEN: {type: secret}
FOLDER: {type: string}
"""
# Written as hex, outside of the run's directory: there nothing is masked or decoded.
WRITE = {
    "zsh": 'hex() { print -rn -- "$1" | od -An -v -tx1 | tr -d " \\n" > $FOLDER/$2 }\n',
    "bash": 'hex() { printf %s "$1" | od -An -v -tx1 | tr -d " \\n" > "$FOLDER/$2"; }\n',
}
SHELL = WRITE | {
    name: source + "".join(f'hex "${item}" {name}-{item}\n' for item in ("ONE", "MANY", "HIDDEN"))
    for name, source in WRITE.items()
}
PYTHON = """
import os, pathlib
import runbook

folder = pathlib.Path(os.environ["FOLDER"])
for name in ("ONE", "MANY", "HIDDEN"):
    (folder / f"python-{name}").write_text(os.environb[name.encode()].hex())
runbook.env("HANDED", os.environ["MANY"])
runbook.output("handed", os.environ["MANY"])
runbook.output("one", os.environ["ONE"])
called = {"ONE": os.environ["ONE"], "MANY": os.environ["MANY"], "HIDDEN": os.environ["HIDDEN"]}
runbook.call("Echo.md", called, FOLDER=str(folder / "called"), quiet=True)
"""
HANDED = "".join(
    f'## Handed to {name}\n```{name}\n{source}hex "$HANDED" {name}-HANDED\n```\n\n'
    for name, source in WRITE.items()
)
CALLS = """
runbook call Echo.md ONE="$ONE" MANY="$MANY" HIDDEN="$HIDDEN" FOLDER="$FOLDER/from-zsh"
"""
SCRIPT = (
    f"## Zsh\n```zsh\n{SHELL['zsh']}```\n\n## Bash\n```bash\n{SHELL['bash']}```\n\n"
    f"## Python\n```python\n{PYTHON}```\n\n{HANDED}## Calls\n```zsh\n{CALLS}```\n"
)
ECHO = f'mkdir "$FOLDER"\n{SHELL["zsh"]}'

anything = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    | st.sampled_from("`$\\'\"!*?[]{}()<>|&;#~=- \t\r%@^"),
    max_size=60,
)
one_line = anything.filter(lambda text: text and "\n" not in text and "\r" not in text)
TOUCH = "touch $FOLDER/PWNED"
EVIL = f"$({TOUCH}) `{TOUCH}`; {TOUCH}\n'; {TOUCH} #\"; {TOUCH}\n"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A new folder for each example."""
    root = tmp_path_factory.mktemp("values")

    def make():
        folder = root / str(len(list(root.iterdir())))
        folder.mkdir()
        return folder

    return make


def received(folder, *names):
    return {name: bytes.fromhex((folder / name).read_text()).decode() for name in names}


def check(folder, one, many, hidden):
    values = {"ONE": one, "MANY": many, "HIDDEN": hidden}
    for language in ("zsh", "bash", "python"):
        wanted = {f"{language}-{name}": value for name, value in values.items()}
        assert received(folder, *wanted) == wanted
    assert received(folder, "zsh-HANDED", "bash-HANDED") == dict.fromkeys(
        ("zsh-HANDED", "bash-HANDED"), many
    )
    for place in ("called", "from-zsh"):
        wanted = {f"zsh-{name}": value for name, value in values.items()}
        assert received(folder / place, *wanted) == wanted


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(one=one_line, many=anything, hidden=anything.filter(lambda text: len(text) > 0))
@example(one=EVIL.replace("\n", " "), many=EVIL, hidden=EVIL)
@example(one="-n", many="=ls", hidden="~root")
@example(one="@/etc/passwd", many="-", hidden="@-")
@example(one="MANY=x", many="<<EOF\nx\nEOF\n", hidden="a=b\n")
@example(one="\\c\\x41", many="\n\n", hidden="\r\n")
@example(one=" ", many="", hidden="\t")
@example(one="{a,b}", many="*", hidden="\x1b[2J\x7f\x85\u2028\u202e\ufeff")
def test_any_text_arrives_as_it_is(client, write, execute, folders, one, many, hidden):
    write("Echo", ECHO, INPUTS)
    ref = write("Values", SCRIPT, INPUTS)
    folder = folders()

    done = execute(client, ref, ONE=one, MANY=many, HIDDEN=hidden, FOLDER=str(folder))

    assert done["status"] == "succeeded", done
    check(folder, one, many, hidden)
    for name, value in {"one": one, "handed": many}.items():
        shown = done["outputs"][name]
        assert shown == value or (hidden.strip() and "***" in shown)
    assert not list(folder.rglob("PWNED"))
