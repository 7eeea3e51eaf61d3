"""Whatever a script prints of a secret, and however, it is masked."""

import base64
import re
from pathlib import Path

import pytest

LINES = "first-Line11 'q'\nsecond\"Line&22\nthird/Line<33 long enough to be broken by base64\n"


def test_each_form_of_a_value_that_is_no_secret_is_found_everywhere(
    add, client, sinks, execute, tricky, every_form, forms, caught
):
    text = tricky("Open1")
    add("Open", every_form, "PASSWORD: {type: string}", language="python")

    done = execute(client, "Open.md", PASSWORD=text)

    assert done["status"] == "succeeded"
    for form in forms(text):
        assert caught(text, form)
        assert form in client.get(f"/api/runs/{done['run_id']}/log").content
    found = sinks.traces(text, done["run_id"])
    assert {"log of the server", "", "/events", "/log"} < found.keys()
    assert {Path(name).name for name in found} > {"Open.md"}
    assert any("runbook.db" in name for name in found)


@pytest.mark.parametrize("text", ["", LINES], ids=["one line", "lines"])
def test_no_form_of_a_secret_shows_anywhere(add, client, sinks, text, tricky, every_form, caught):
    text = text or tricky("Typed2")
    url = add("Forms", every_form, language="python")

    reply = client.post(url, json={"env_vars": {"PASSWORD": text}})

    assert "forms begin" in reply.text
    assert "forms end" in reply.text
    assert reply.text.count("***") >= 40
    assert caught(text, reply.content) == []
    assert sinks.traces(text, reply.headers["x-run-id"]) == {}


SHELLS = {
    "zsh": r"""
set -x
print -r -- "$PASSWORD"
: "$PASSWORD" ${PASSWORD} x=$PASSWORD
other=$PASSWORD; [[ $other == x ]]
set +x
print -r -- ${(q)PASSWORD} ${(qq)PASSWORD} ${(qqq)PASSWORD} ${(qqqq)PASSWORD} ${(q-)PASSWORD}
printf '%q\n' "$PASSWORD"; typeset -p PASSWORD; export -p | grep -a PASSWORD
env; set | grep -a PASSWORD
print -rn -- $PASSWORD | base64; print -r -- $PASSWORD | openssl base64
print -rn -- $PASSWORD | od -An -tx1 | tr -d ' \n'
for filter in @uri @html @json @sh @base64; do jq -nr 'env.PASSWORD | '$filter; done
jq -n 'env'; print -ru2 -- "$PASSWORD"; "$PASSWORD"; cd "$PASSWORD"; cat "/$PASSWORD"
print "shell ends"
""",
    "bash": r"""
set -x
echo "$PASSWORD"; : "$PASSWORD" "x=$PASSWORD"; other=$PASSWORD
[[ $other == x ]]
set +x
printf '%q\n' "$PASSWORD"; echo "${PASSWORD@Q} ${PASSWORD@E}"; declare -p PASSWORD; export -p; set
"$PASSWORD"; cd "$PASSWORD"; cat "/$PASSWORD"
echo "shell ends"
""",
}


@pytest.mark.parametrize("language", SHELLS)
def test_shells_that_trace_and_quote_show_no_secret(add, client, sinks, language):
    text = f"sh3llStart{language}&<\"' %$`\\ ?=middlePart{language}~!endOfKey{language}"
    url = add("Shell", SHELLS[language], language=language)

    reply = client.post(url, json={"env_vars": {"PASSWORD": text}})

    assert "shell ends" in reply.text
    assert "***" in reply.text
    assert sinks.traces(text, reply.headers["x-run-id"]) == {}


@pytest.mark.parametrize(
    ("source", "number"), [("env:INVENTORY_TOKEN", "Env5"), ("file:db/password", "File6")]
)
def test_a_secret_that_the_server_has_shows_nowhere(
    add, client, sinks, execute, source, number, tricky, every_form
):
    inputs = f"PASSWORD: {{type: secret, from: '{source}'}}"
    add("Referenced", every_form, inputs, language="python")

    done = execute(client, "Referenced.md")

    assert "forms end" in done["stdout"]
    client.get("/api/runbooks/Referenced.md/inputs")
    client.get("/api/runbooks/Referenced.md/required-env")
    assert sinks.traces(tricky(number), done["run_id"]) == {}


REGISTER = {
    "zsh by command": ("zsh", "print -r -- $text | runbook mask", "print -r -- $text"),
    "zsh by file": ("zsh", "print -r -- $text >> $RUNBOOK_MASK", "print -r -- $text"),
    "bash by file": ("bash", 'echo "$text" >> "$RUNBOOK_MASK"', 'echo "$text"'),
    "python": ("python", "import runbook\nrunbook.mask(text)", "os.write(1, text.encode())"),
}


@pytest.mark.parametrize("way", REGISTER)
def test_what_a_script_registers_is_masked_from_then_on(
    add, client, sinks, execute, way, tricky, every_form
):
    """In the same step at once, in later steps, and in what is handed over."""
    language, register, show = REGISTER[way]
    text = tricky("Run" + re.sub(r"\W", "", way))
    hidden = base64.b64encode(text.encode()).decode()[::-1]
    find = f'text=$(printf %s "{hidden}" | rev | base64 -d)'
    if language == "python":
        find = f"import base64, os\ntext = base64.b64decode('{hidden}'[::-1]).decode()"
    again = f'export PASSWORD="$(printf %s {hidden} | rev | base64 -d)"; cat > p.py <<"E"\n'
    add(
        "Registers",
        f"\n## One\n```{language}\n{find}\n{register}\n{show}\n```\n"
        f"\n## Two\n```bash\n{again}{every_form}\nE\npython3 p.py\n"
        'echo "TOKEN=$PASSWORD" >> "$RUNBOOK_ENV"; echo "out=$PASSWORD" >> "$RUNBOOK_OUTPUT"\n```\n'
        '\n## Three\n```zsh\nprint -r -- $TOKEN; print -r -- "$TOKEN" >> $RUNBOOK_SUMMARY\n```\n',
        "",
    )

    done = execute(client, "Registers.md")

    assert done["status"] == "succeeded", done
    assert "forms end" in done["stdout"]
    assert done["outputs"] == {"out": "***"}
    assert sinks.traces(text, done["run_id"]) == {}
