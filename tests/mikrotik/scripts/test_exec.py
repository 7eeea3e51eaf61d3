"""Single rows are read and changed, and what could do harm is refused."""

import pytest

from runbook.connectors.errors import ErrorCode


def rows(**values):
    return [{"NAME": name.replace("_", "-"), "VALUE": value} for name, value in values.items()]


ADD_RULE = {"MENU": "/ip/firewall/filter", "VALUES": rows(chain="input", action="accept")}
SET_NAME = {"MENU": "/system/identity", "VALUES": rows(name="other")}


def take(site):
    """The states of what was recorded; the next run isn't a retry then."""
    states = site.journal.states
    site.journal.made.clear()
    return states


def execute(site, action="print", menu="/ip/address", **inputs):
    return site.execute("Exec", ROUTER="core-1", ACTION=action, MENU=menu, **inputs)


def test_a_row_is_added_changed_printed_and_removed(site):
    site.router()
    added = execute(site, "add", VALUES=rows(address="10.0.0.1/24", interface="ether2"))
    row = added.outputs["ROW"]
    states = take(site)
    changed = execute(site, "set", "ip address", ROW=row, VALUES=rows(comment="up"))
    states += take(site)
    printed = execute(site, VALUES=rows(interface="ether2"))
    removed = execute(site, "remove", ROW=row)
    states += take(site)
    missing = execute(site, "remove", ROW=row)

    assert changed.outputs["BEFORE"] == {"comment": ""}
    assert [one["comment"] for one in printed.outputs["ROWS"]] == ["up"]
    assert removed.outputs["BEFORE"]["address"] == "10.0.0.1/24"
    assert missing.error.code is ErrorCode.NOT_FOUND
    assert states == ["done"] * 3


def test_undo_brings_back_what_was(site):
    router = site.router()
    before = router.snapshot()
    execute(site, "add", VALUES=rows(address="10.0.0.1/24", interface="ether2"))
    first = site.journal.made[:]
    site.journal.made.clear()
    execute(site, "set", "/system/identity", VALUES=rows(name="other"))
    site.journal.made[0]["id"] = "run-1/2"
    site.journal.made[:0] = first

    site.execute("Exec", undo=True, ROUTER="core-1", ACTION="add", MENU="/ip/address")

    assert router.snapshot() == before
    assert site.journal.states == ["undone"] * 2


@pytest.mark.parametrize(
    ("action", "inputs", "made"),
    [
        ("add", ADD_RULE, True),
        ("add", ADD_RULE, False),
        ("set", SET_NAME, True),
        ("set", SET_NAME, False),
        ("remove", {"MENU": "/ip/pool", "ROW": "p"}, True),
    ],
)
def test_a_retry_does_not_repeat_what_was_done(site, made, action, inputs):
    router = site.router()
    router.run("/ip pool add name=p ranges=10.0.0.1-10.0.0.9")
    before = router.snapshot()
    given = {"ROUTER": "core-1", "ACTION": action, **inputs}
    site.execute("Exec", **given)
    after = router.snapshot()
    site.journal.made[0] |= {"state": "intended", "outcome": {}}
    if not made:
        router.run("/ip firewall filter remove [find]; /system identity set name=core-1")
        assert router.snapshot() == before

    assert site.execute("Exec", **given).code == 0

    assert router.snapshot() == after
    assert site.journal.states == (["done"] if made else ["failed", "done"])


def test_a_command_that_may_have_run_is_not_run_again(site):
    site.router()
    site.journal.intend("", "exec", "run it", {"menu": "/interface", "action": "run"})
    done = execute(site, "run", "/interface", COMMAND="reset-counters", ROW="ether1")
    assert done.error.code is ErrorCode.CONFLICT


def test_a_removed_row_cannot_be_undone(site):
    router = site.router()
    router.run("/ip pool add name=p ranges=10.0.0.1-10.0.0.9")
    execute(site, "remove", "/ip/pool", ROW="p")
    done = site.execute("Exec", undo=True, ROUTER="core-1", MENU="/ip/pool")
    assert (done.error.code, site.journal.states) == (ErrorCode.CONFLICT, ["done"])


def test_secrets_are_neither_shown_nor_recorded(site):
    router = site.router()
    router.run("/ppp secret add name=joe password=hidden-word")
    printed = execute(site, menu="/ppp/secret")
    changed = execute(
        site, "set", "/ppp/secret", ROW="joe", VALUES=rows(password="$SECRET"), SECRET="other-word"
    )
    missing = execute(site, "set", "/ppp/secret", ROW="joe", VALUES=rows(password="$SECRET"))
    take(site)
    assert missing.error.code is ErrorCode.INVALID
    assert router.config.rows("ppp/secret")[0]["password"] == "other-word"
    removed = execute(site, "remove", "/ppp/secret", ROW="joe")
    for done in (printed, changed, removed):
        assert done.code == 0
        shown = f"{done.printed}{done.texts}{done.summary}{site.journal.made}"
        assert not [word for word in ("hidden-word", "other-word") if word in shown]


def test_a_dry_run_changes_nothing_and_shows_the_request(site):
    router = site.router()
    before = router.snapshot()
    done = execute(site, "set", "/system/identity", VALUES=rows(name="other"), dry_run=True)
    assert (router.snapshot(), site.journal.made) == (before, [])
    assert len(done.plan) == 1
    assert "/system/identity/set" in done.plan[0]


def test_a_refusal_of_the_router_changed_nothing(site):
    site.router()
    done = execute(site, "add", VALUES=rows(address="nonsense", interface="ether2"))
    assert (done.error.code, site.journal.states) == (ErrorCode.INVALID, ["failed"])


@pytest.mark.parametrize(
    ("menu", "inputs"),
    [
        ("/system/reset-configuration", {}),
        ("system reboot", {}),
        ("/user", {}),
        ("//user//group", {}),
        ("/user/ssh-keys", {}),
        ("/system/backup", {}),
        ("/certificate", {}),
        ("/radius", {}),
        ("/system/script", {}),
        ("/system/scheduler", {}),
        ("/ip/dhcp-server", {"VALUES": rows(lease_script="x")}),
        ("/ip/dhcp-server/alert", {"VALUES": rows(on_alert="x")}),
        ("/sys reset-conf", {}),
        ("/sy/sch", {}),
        ("/tr069-client", {}),
    ],
)
@pytest.mark.parametrize("action", ["print", "add"])
def test_what_could_do_harm_is_refused(site, menu, inputs, action):
    # There is no router: it isn't even asked.
    site.connect("core-1", {}, device={})
    assert execute(site, action, menu, **inputs).error.code is ErrorCode.REFUSED


@pytest.mark.parametrize(
    ("menu", "command"),
    [
        ("/system", "reboot"),
        ("/system", "reb"),
        ("/tool", "fetch"),
        ("/ip/address", "export"),
        ("/ip/ssh", "regenerate-host-key"),
    ],
)
def test_commands_that_could_do_harm_are_refused(site, menu, command):
    site.connect("core-1", {}, device={})
    done = execute(site, "run", menu, COMMAND=command)
    assert done.error.code is ErrorCode.REFUSED


def test_what_only_begins_like_something_denied_is_allowed(site):
    site.router()
    assert execute(site, menu="/log").code == 0
    assert execute(site, menu="/ip/address").code == 0


@pytest.mark.parametrize("menu", ["/ip/../user", "/ip/address; /user", "/", "/Ip/address"])
def test_what_is_no_menu_is_refused(site, menu):
    site.connect("core-1", {}, device={})
    assert execute(site, "add", menu).error.code is ErrorCode.INVALID
