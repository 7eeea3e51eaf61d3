"""What scripts hand over holds no secret: outputs, progress, plans, names of artifacts."""

import hashlib
import json

import pytest

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
    url = add("Hands", HANDS_OVER, policy="dry_run: supported")

    run_id = submit(client, url, env_vars={"PASSWORD": text}, dry_run=dry_run)

    events = list(follow(client, run_id))
    run = run_json(run_id)
    assert events[-1]["errors"] == ["Step 2 'Two' failed with return code 1"]
    told = [event for event in events if event["type"] in ("progress", "plan")]
    shown = [event.get("text") for event in told]
    assert {"at ***", "***", "change ***"} <= set(shown)
    assert run["outputs"] == {"value": "***", "encoded": "***"}
    assert run["summary"] == "It is *******\n"
    assert [one["code"] for one in run["problems"]].count("artifact_not_kept") >= 2
    assert sinks.traces(text, run_id) == {}


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
def test_a_secret_in_place_of_a_name_shows_nowhere(add, client, sinks, execute, line, caught):
    text = f"n4meLikeSecret{hashlib.sha256(line.encode()).hexdigest()[:16]}"
    script = f"\n## One\n```zsh\nprint -r -- {line}\n```\n\n## Two\n```zsh\ntrue\n```\n"
    add("Names", script)

    done = execute(client, "Names.md", PASSWORD=text)

    assert sinks.traces(text, done["run_id"]) == {}
    assert caught(text, json.dumps(done).encode()) == []
