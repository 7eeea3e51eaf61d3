"""Secrets leave no trace: not in a log, an event, a record or a byte of the database.

What a script prints goes through every encoding there is a name for, and every sink is searched for
all of them: for the whole secret, its lines, and each longer part of letters and digits.
"""

import base64
import hashlib
import html
import inspect
import itertools
import json
import re
import shlex
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

PART = re.compile(rb"[0-9A-Za-z]{8,}")
SECRET_INPUT = "PASSWORD: {type: secret}"
LINES = "first-Line11 'q'\nsecond\"Line&22\nthird/Line<33 long enough to be broken by base64\n"


def tricky(number):
    """A secret like no other's, with all that is quoted or escaped somewhere."""
    return f"k3yStart{number}&<\"'/+ %$`\\ ü?=middlePart{number}~!endOfKey{number}"


def encodings(text):
    """Everything that text may look like once it was quoted, escaped or encoded."""
    data = text.encode()
    yield from (data, repr(text).encode(), repr(data).encode(), shlex.quote(text).encode())
    yield from (json.dumps(text).encode(), json.dumps(text, ensure_ascii=False).encode())
    yield json.dumps(text).replace("/", "\\/").encode()
    for escaped in (quote(text), quote(text, safe=""), quote_plus(text)):
        yield from (escaped.encode(), re.sub("%..", lambda m: m[0].lower(), escaped).encode())
    yield from (html.escape(text).encode(), html.escape(text, quote=False).encode())
    yield html.escape(text).replace("&#x27;", "&apos;").encode()
    yield from (data.hex().encode(), data.hex().upper().encode())
    for before, after in itertools.product(range(3), range(3)):
        whole = b"\1" * before + data + b"\2" * after
        yield from (base64.b64encode(whole), base64.urlsafe_b64encode(whole))


def cores(data):
    """What each encoding of any bytes with `data` in them contains."""
    yield from (data, data.hex().encode(), data.hex().upper().encode())
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + data)
        core = encoded[(shift * 8 + 5) // 6 : (shift + len(data)) * 8 // 6]
        yield from (core, core.replace(b"+", b"-").replace(b"/", b"_"))


class Net:
    """Finds secrets in bytes, whatever they were made to look like."""

    def __init__(self, *secrets):
        self.needles = set()
        for secret in secrets:
            for text in (secret, *secret.splitlines()):
                self.needles.update(encodings(text))
                for part in PART.findall(text.encode()):
                    self.needles.update(cores(part))

    def caught(self, data):
        return sorted(needle for needle in self.needles if needle in data)


class Sinks:
    """All that a server keeps and answers."""

    def __init__(self, server, client):
        self._server, self._client = server, client

    def files(self):
        """Everything on disk, but for the contents of artifacts."""
        kept = [self._server.data, self._server.runbooks, self._server.execution]
        for path in (path for folder in kept for path in folder.rglob("*")):
            if path.is_file() and "artifacts" not in path.relative_to(self._server.folder).parts:
                yield str(path), path.read_bytes()

    def answers(self, run_id):
        run = f"/api/runs/{run_id}"
        for path in ("", "/events", "/log", "/log?from=1&lines=1000", "/artifacts"):
            yield path, self._client.get(run + path).content
        for path in ("/api/runs?limit=200", "/api/runbooks", "/metrics"):
            yield path, self._client.get(path).content

    def all(self, *run_ids):
        yield "log of the server", "".join(self._server.log).encode()
        yield from self.files()
        for run_id in run_ids:
            yield from self.answers(run_id)

    def traces(self, net, *run_ids):
        found = {name: net.caught(data) for name, data in self.all(*run_ids)}
        return {name: needles for name, needles in found.items() if needles}


@pytest.fixture(scope="module")
def server(request, tmp_path_factory):
    conftest = str(Path(__file__).with_name("conftest.py"))
    running = request.config.pluginmanager.get_plugin(conftest).running
    secrets = tmp_path_factory.mktemp("secrets")
    (secrets / "db").mkdir()
    (secrets / "db" / "password").write_text(tricky("File6") + "\n")
    with running(
        tmp_path_factory.mktemp("server"),
        SECRETS_DIR=secrets,
        INVENTORY_TOKEN=tricky("Env5"),
        MAX_PARALLEL_RUNS=1,
    ) as server:
        yield server


@pytest.fixture
def sinks(server, client):
    return Sinks(server, client)


@pytest.fixture
def run_json(client):
    return lambda run_id: client.get(f"/api/runs/{run_id}").json()


@pytest.fixture
def add(write):
    """Write a runbook; the path that executes it."""
    return lambda *args, **more: f"/api/runbooks/{write(*args, **more)}/execute"


# -- the net itself ------------------------------------------------------------------------------

EVERY_FORM = f"""
import base64, html, itertools, json, os, re, shlex, sys
from urllib.parse import quote, quote_plus
{inspect.getsource(encodings)}
text = os.environ["PASSWORD"]
os.write(1, b"forms begin\\n")
for form, stream in itertools.product(encodings(text), (1, 2)):
    os.write(stream, b"<" + form + b">\\n")
for line in text.splitlines():
    os.write(1, b"line " + line.encode() + b"\\n")
for size in (1, 3, 7):
    for at in range(0, len(text.encode()), size):
        os.write(1, text.encode()[at : at + size])
    os.write(1, b"\\n")
for border in (4096, 8192, 65536):
    for shift in range(1, len(text), 5):
        os.write(1, b"." * (border - shift) + text.encode() + b"\\n")
os.write(1, base64.encodebytes(text.encode()))
os.write(1, b"forms end\\n")
"""


def test_each_form_of_a_value_that_is_no_secret_is_found_everywhere(add, client, sinks, execute):
    text = tricky("Open1")
    add("Open", EVERY_FORM, "PASSWORD: {type: string}", language="python")

    done = execute(client, "Open.md", PASSWORD=text)

    assert done["status"] == "succeeded"
    for form in encodings(text):
        assert Net(text).caught(form)
        assert form in client.get(f"/api/runs/{done['run_id']}/log").content
    found = sinks.traces(Net(text), done["run_id"])
    assert {"log of the server", "", "/events", "/log"} < found.keys()
    assert {Path(name).name for name in found} > {"Open.md"}
    assert any("runbook.db" in name for name in found)


# -- what scripts print --------------------------------------------------------------------------


@pytest.mark.parametrize("text", [tricky("Typed2"), LINES], ids=["one line", "lines"])
def test_no_form_of_a_secret_shows_anywhere(add, client, sinks, text):
    url = add("Forms", EVERY_FORM, SECRET_INPUT, language="python")

    reply = client.post(url, json={"env_vars": {"PASSWORD": text}})

    net = Net(text)
    assert "forms begin" in reply.text
    assert "forms end" in reply.text
    assert reply.text.count("***") >= 40
    assert net.caught(reply.content) == []
    assert sinks.traces(net, reply.headers["x-run-id"]) == {}


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
    url = add("Shell", SHELLS[language], SECRET_INPUT, language=language)

    reply = client.post(url, json={"env_vars": {"PASSWORD": text}})

    assert "shell ends" in reply.text
    assert "***" in reply.text
    assert sinks.traces(Net(text), reply.headers["x-run-id"]) == {}


@pytest.mark.parametrize(
    ("source", "number"), [("env:INVENTORY_TOKEN", "Env5"), ("file:db/password", "File6")]
)
def test_a_secret_that_the_server_has_shows_nowhere(add, client, sinks, execute, source, number):
    inputs = f"PASSWORD: {{type: secret, from: '{source}'}}"
    add("Referenced", EVERY_FORM, inputs, language="python")

    done = execute(client, "Referenced.md")

    assert "forms end" in done["stdout"]
    client.get("/api/runbooks/Referenced.md/inputs")
    client.get("/api/runbooks/Referenced.md/required-env")
    assert sinks.traces(Net(tricky(number)), done["run_id"]) == {}


REGISTER = {
    "zsh by command": ("zsh", "print -r -- $text | runbook mask", "print -r -- $text"),
    "zsh by file": ("zsh", "print -r -- $text >> $RUNBOOK_MASK", "print -r -- $text"),
    "bash by file": ("bash", 'echo "$text" >> "$RUNBOOK_MASK"', 'echo "$text"'),
    "python": ("python", "import runbook\nrunbook.mask(text)", "os.write(1, text.encode())"),
}


@pytest.mark.parametrize("way", REGISTER)
def test_what_a_script_registers_is_masked_from_then_on(add, client, sinks, execute, way):
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
        f"\n## Two\n```bash\n{again}{EVERY_FORM}\nE\npython3 p.py\n"
        'echo "TOKEN=$PASSWORD" >> "$RUNBOOK_ENV"; echo "out=$PASSWORD" >> "$RUNBOOK_OUTPUT"\n```\n'
        '\n## Three\n```zsh\nprint -r -- $TOKEN; print -r -- "$TOKEN" >> $RUNBOOK_SUMMARY\n```\n',
        "",
    )

    done = execute(client, "Registers.md")

    assert done["status"] == "succeeded", done
    assert "forms end" in done["stdout"]
    assert done["outputs"] == {"out": "***"}
    assert sinks.traces(Net(text), done["run_id"]) == {}


# -- what scripts hand over ----------------------------------------------------------------------

HANDS_OVER = """
## One
```zsh
runbook progress 10 "at $PASSWORD"; runbook progress 20 "$PASSWORD"
print -r -- "30 $(print -rn -- $PASSWORD | base64 -w0)" >> $RUNBOOK_PROGRESS
runbook plan "change $PASSWORD" --verified; print -r -- "assumed: $PASSWORD" >> $RUNBOOK_PLAN
runbook output value=$PASSWORD encoded=$(print -rn -- $PASSWORD | xxd -p -c 999)
runbook env TOKEN=$PASSWORD MORE=x${PASSWORD}y
runbook summary "It is **$PASSWORD**"
print content > $RUNBOOK_ARTIFACTS/${PASSWORD//\\//_}
mkdir $RUNBOOK_ARTIFACTS/$PASSWORD.d; print content > $RUNBOOK_ARTIFACTS/$PASSWORD.d/log
print content > $RUNBOOK_ARTIFACTS/$(print -rn -- $PASSWORD | xxd -p -c 999)
```

## Two
```python
import os
print(os.environ["TOKEN"], os.environ["MORE"])
raise KeyError(os.environ["TOKEN"])
```
"""


@pytest.mark.parametrize("dry_run", [False, True])
def test_what_is_handed_over_shows_no_secret(add, submit, client, sinks, run_json, follow, dry_run):
    text = f"hand0verStart{dry_run}&<\"' %$`middlePart{dry_run}~!endOfKey{dry_run}"
    url = add("Hands", HANDS_OVER, SECRET_INPUT, policy="dry_run: supported")

    run_id = submit(client, url, env_vars={"PASSWORD": text}, dry_run=dry_run)

    events = list(follow(client, run_id))
    run = run_json(run_id)
    assert events[-1]["errors"] == ["Step 2 'Two' failed with return code 1"]
    told = [event for event in events if event["type"] in ("progress", "plan")]
    shown = [event.get("text") for event in told]
    assert {"at ***", "***", "change ***"} <= set(shown)
    assert run["outputs"] == {"value": "***", "encoded": "***"}
    assert run["summary"] == "It is *******\n"
    assert run["warnings"].count("An artifact was not kept: its name may not be shown") >= 2
    assert sinks.traces(Net(text), run_id) == {}


@pytest.mark.parametrize(
    "line",
    [
        '"$PASSWORD=x" >> $RUNBOOK_OUTPUT',
        '"$PASSWORD=x" >> $RUNBOOK_ENV',
        '"$PASSWORD" >> $RUNBOOK_ENV',
        '" $PASSWORD=x" >> $RUNBOOK_ENV',
        '" $PASSWORD=x" >> $RUNBOOK_OUTPUT',
        '"x<<$PASSWORD" >> $RUNBOOK_OUTPUT',
        '" $PASSWORD<<word" >> $RUNBOOK_OUTPUT',
    ],
)
def test_a_secret_in_place_of_a_name_shows_nowhere(add, client, sinks, execute, line):
    text = f"n4meLikeSecret{hashlib.sha256(line.encode()).hexdigest()[:16]}"
    script = f"\n## One\n```zsh\nprint -r -- {line}\n```\n\n## Two\n```zsh\ntrue\n```\n"
    add("Names", script, SECRET_INPUT)

    done = execute(client, "Names.md", PASSWORD=text)

    assert sinks.traces(Net(text), done["run_id"]) == {}
    assert Net(text).caught(json.dumps(done).encode()) == []


# -- requests ------------------------------------------------------------------------------------

WRONG = "wr0ngSecretOfThirtyCharacters"


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("min: 99", WRONG),
        ("max: 5", WRONG),
        ("pattern: '[0-9]+'", WRONG),
        ("pattern: '[0-9]+'", WRONG * 200),
        ("", f"{WRONG}\0"),
        ("", f"{WRONG}\ud800"),
        ("", WRONG * 3000),
        ("", [WRONG]),
        ("", {WRONG: WRONG}),
    ],
)
def test_the_errors_of_a_secret_do_not_repeat_it(add, client, server, sinks, rule, value):
    inputs = f"PASSWORD: {{type: secret{', ' if rule else ''}{rule}}}"
    url = add("Checked", "print never", inputs)
    body = json.dumps({"env_vars": {"PASSWORD": value}})

    invalid = client.patch(url.replace("execute", "validate"), content=body)
    reply = client.post(url, content=body)

    assert invalid.status_code == 400
    assert "PASSWORD" in reply.text
    assert "never" not in reply.text
    assert Net(WRONG).caught(invalid.content + reply.content) == []
    assert sinks.traces(Net(WRONG), reply.headers["x-run-id"]) == {}


@pytest.mark.parametrize(
    "body",
    [
        f'{{"env_vars": "{WRONG}"}}',
        f'{{"env_vars": ["{WRONG}"]}}',
        f'{{"env_vars": {{"PASSWORD": "{WRONG}"}}, "dry_run": "{WRONG}"}}',
        f'{{"env_vars": {{"PASSWORD": "{WRONG}"',
        f'["{WRONG}"]',
        f'"{WRONG}"',
        f"{WRONG}",
    ],
)
def test_a_body_that_is_none_is_not_repeated(add, client, sinks, body):
    reply = client.post(add("Plain", "true", SECRET_INPUT), content=body)

    assert reply.status_code == 400
    assert Net(WRONG).caught(reply.content) == []
    assert sinks.traces(Net(WRONG)) == {}


# -- waiting, dying, going on --------------------------------------------------------------------


def begun(client, run_id, parse_lines):
    with client.stream("GET", f"/api/runs/{run_id}/events") as reply:
        for _, data, _ in parse_lines(reply):
            if '"begun' in data:
                return
    raise AssertionError("it did not begin")


def test_while_it_waits_and_after_its_worker_was_killed(
    add, submit, client, server, sinks, follow, parse_lines, tmp_path
):
    """Before, while and after the worker has it; its end by kill -9 wipes its inputs too."""
    text, net = tricky("Killed7"), Net(tricky("Killed7"))
    gate = tmp_path / "gate"
    blocks = f"print begun; while [[ ! -e {gate} ]]; do sleep 0.02; done"
    blocker = submit(client, add("Blocks", blocks, ""))
    begun(client, blocker, parse_lines)
    dies = 'print -r -- "$PASSWORD"; print -rn -- "${PASSWORD:0:30}"; print -u2 begun; sleep 999'
    run_id = submit(client, add("Dies", dies, SECRET_INPUT), env_vars={"PASSWORD": text})
    assert client.get(f"/api/runs/{run_id}").json()["status"] == "queued"
    assert sinks.traces(net) == {}
    gate.touch()
    begun(client, run_id, parse_lines)
    assert sinks.traces(net) == {}

    server.worker.kill()

    assert list(follow(client, run_id))[-1]["status"] == "lost"
    assert sinks.traces(net, run_id) == {}


STEPS = """
## One
```zsh
print -r -- "one $PASSWORD"; runbook env TOKEN=$PASSWORD; runbook output out=$PASSWORD
```

### Undo
```zsh
print -r -- "undone $PASSWORD $TOKEN"
```

## Two
```zsh
set -x; print -r -- "two $PASSWORD $TOKEN"; [[ $MODE == good ]] || exit 3
```
"""


@pytest.mark.parametrize("policy", ["on_failure: stop", "on_failure: undo"])
def test_through_retry_resume_and_undo(add, submit, client, sinks, follow, run_json, policy):
    number = policy[-4:]
    text, net = tricky(f"Steps{number}"), Net(tricky(f"Steps{number}"))
    inputs = f"{SECRET_INPUT}\nMODE: {{type: string, default: bad}}"
    url = add(f"Steps{number}", STEPS, inputs, policy=policy)
    given = {"PASSWORD": text, "TOKEN": text, "out": text}

    first = submit(client, url, env_vars={"PASSWORD": text})
    ends = {first: list(follow(client, first))[-1]["status"]}
    retried = submit(client, f"/api/runs/{first}/retry", env_vars={"PASSWORD": text})
    ends[retried] = list(follow(client, retried))[-1]["status"]
    if number == "stop":
        for action, more in (("resume", {"MODE": "good"}), ("undo", {})):
            of = retried if action == "resume" else next(reversed(ends))
            run_id = submit(client, f"/api/runs/{of}/{action}", env_vars=given | more)
            ends[run_id] = list(follow(client, run_id))[-1]["status"]
        assert list(ends.values()) == ["failed", "failed", "succeeded", "succeeded"]
    else:
        for run_id in list(ends):
            followers = run_json(run_id)["followers"]
            ends |= {one["id"]: one["status"] for one in followers if one["relation"] == "undo"}
        assert list(ends.values()) == ["failed", "failed", "succeeded", "succeeded"]
    logs = "".join(client.get(f"/api/runs/{run_id}/log").text for run_id in ends)
    assert "undone *** ***" in logs
    assert sinks.traces(net, *ends) == {}


@pytest.mark.parametrize("kind", ["secret", "string"])
@pytest.mark.parametrize("registered", [False, True], ids=["given", "registered"])
def test_in_a_run_that_is_called_with_it(add, client, sinks, execute, run_json, kind, registered):
    """Also where the called runbook does not know that it is a secret."""
    text = f"c4lledStart{kind}{registered}&<\"' %$`middlePart{kind}~!endOfKey{registered}"
    add(
        "Called",
        'print -r -- "called with $X"; runbook output x="$X"; runbook progress 5 "$X"; exit 3',
        f"X: {{type: {kind}}}",
    )
    call = 'runbook call Called.md X="$S"; print -r -- "again $S"'
    inputs = SECRET_INPUT
    script = f"S=$PASSWORD; {call}"
    if registered:
        hidden = base64.b64encode(text.encode()).decode()[::-1]
        script = (
            f"S=$(print -rn -- '{hidden}' | rev | base64 -d); print -r -- $S | runbook mask; {call}"
        )
        inputs = ""
    add("Calls", script, inputs)

    done = execute(client, "Calls.md", **({} if registered else {"PASSWORD": text}))

    (child,) = run_json(done["run_id"])["children"]
    assert "again ***" in done["stdout"]
    assert "called with ***" in client.get(f"/api/runs/{child['id']}/log").text
    assert sinks.traces(Net(text), done["run_id"], child["id"]) == {}


def test_a_call_that_is_refused_does_not_repeat_it(add, client, sinks, execute, run_json):
    text = "1nvalidSecretOfThirtyCharacters"
    add("Strict", "print never", "X: {type: integer}\nY: {type: choice, choices: [a, b]}")
    add("Calls", 'runbook call Strict.md X="$PASSWORD" Y="<$PASSWORD>"', SECRET_INPUT)

    done = execute(client, "Calls.md", PASSWORD=text)

    (child,) = run_json(done["run_id"])["children"]
    assert run_json(child["id"])["errors"] == ["X must be an integer", "Y must be one of a, b"]
    assert sinks.traces(Net(text), done["run_id"], child["id"]) == {}


# -- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["secret", "string"])
def test_a_secret_of_the_command_line_shows_nowhere(add, beside, sinks, tmp_path, kind):
    text = tricky(f"Cli8{kind}")
    add("Cli", EVERY_FORM, f"PASSWORD: {{type: {kind}}}", language="python")
    (tmp_path / "password").write_text(text)

    secret = f"PASSWORD=@{tmp_path}/password"
    done = beside.run("execute", "--runbook", "Cli.md", "--secret", secret, "--json")

    run_id = json.loads(done.stdout.splitlines()[-1])["run_id"]
    asked = ["show", "show --json", "logs", "logs --json", "logs --raw"]
    answers = [beside.run(*words.split(), run_id).stdout for words in asked]
    answers += [beside.run("runs", "--json").stdout, beside.run("runs").stdout]
    net = Net(text)
    assert all(answers)
    assert all("forms end" in answer for answer in answers[2:5])
    printed = [data.encode() for data in (done.stdout, done.stderr, *answers)]
    assert [net.caught(data) for data in printed] == [[]] * 9
    assert sinks.traces(net, run_id) == {}


@pytest.mark.parametrize("separator", [b"", b"\n", b"-"])
def test_output_that_is_cut_shows_no_part_of_a_secret(add, beside, sinks, tmp_path, separator):
    """Wherever the limits of the output and of the history entry cut it."""
    text = tricky(f"Cut9{separator.hex()}")
    script = f"import os\ntext = os.environ['PASSWORD'].encode() + {separator!r}\n"
    script += "for size in range(40, 90):\n    os.write(1, text * 9 + b'.' * size)\n"
    add("Cut", script, SECRET_INPUT, language="python")
    (tmp_path / "password").write_text(text)
    limits = {"MAX_OUTPUT_SIZE_BYTES": "3001", "HISTORY_ENTRY_BYTES": "1003"}
    for limit in limits.items():
        beside.environment.update([limit])
        secret = f"PASSWORD=@{tmp_path}/password"

        done = beside.run("execute", "--runbook", "Cut.md", "--secret", secret, "--json")

        run_id = json.loads(done.stdout.splitlines()[-1])["run_id"]
        assert "Output limit reached" in done.stdout
        assert Net(text).caught(done.stdout.encode()) == []
        assert sinks.traces(Net(text), run_id) == {}


def test_errors_of_the_command_line_do_not_repeat_a_secret(add, beside, tmp_path):
    add("Cli", "true", "PASSWORD: {type: string, pattern: '[0-9]+'}")
    (tmp_path / "password").write_text(WRONG)

    for command in ("execute --runbook Cli.md", "validate Cli.md"):
        done = beside.run(*command.split(), "--secret", f"PASSWORD=@{tmp_path}/password")

        assert (done.returncode, "PASSWORD" in done.stdout + done.stderr) in [(2, True), (65, True)]
        assert Net(WRONG).caught((done.stdout + done.stderr).encode()) == []
