"""Templates become scripts that routers accept."""

import json

import pytest

from runbook.connectors.errors import ErrorCode

PUSH = "mikrotik/Push.md"
STARTERS = {
    "initial-setup": {},
    "basic-router": {"lan": "10.9.0.0/24", "lan_ports": "ether2 ether3"},
    "firewall": {"wan": "ether5"},
    "dhcp-server": {"interface": "ether2", "network": "10.9.0.0/24"},
    "wireless-ap": {"ssid": 'Café "Süd" $x', "driver": "wireless", "interface": "wlan1"},
}


def rows(**values):
    return [{"NAME": name, "VALUE": value} for name, value in values.items()]


def push(site, template, text=None, **inputs):
    if text is not None:
        file = site.folder / "own.j2"
        file.write_text(text)
        inputs["FILE"] = str(file)
    return site.execute("TemplatePush", ROUTER="core-1", TEMPLATE=template, **inputs)


@pytest.mark.parametrize("version", ["6.49", "7.18"])
@pytest.mark.parametrize("name", STARTERS)
def test_the_starter_templates_can_be_pushed_again_and_again(site, name, version):
    router = site.router(version=version)
    given = STARTERS[name]
    if name == "wireless-ap" and version == "7.18":
        given = {"ssid": "office"}

    done = push(site, name, VARIABLES=rows(**given), SECRET="pass-phrase")

    [(ref, inputs)] = site.calls
    assert (done.code, ref, inputs["ROUTER"]) == (0, PUSH, "core-1"), done.error
    states = []
    for _ in range(2):
        with site.opened("core-1") as opened:
            opened.apply(inputs["CHANGE"])
        states.append(router.snapshot())
    assert states[0] == states[1]


def test_a_preview_is_checked_by_the_router_and_pushes_nothing(site):
    router = site.router()
    before = router.snapshot()

    fine = push(site, "firewall", PREVIEW="true")
    wrong = push(site, "own", "/ip address add adress=10.0.0.1/24\n", PREVIEW="true")
    dry = push(site, "firewall", PREVIEW="true", dry_run=True)
    calls = site.calls[:]
    planned = push(site, "firewall", dry_run=True)

    assert (fine.code, calls) == (0, [])
    assert (planned.code, len(planned.plan), len(site.calls)) == (0, 1, 1)
    assert "/ip firewall filter" in fine.outputs["MENUS"]
    assert wrong.error.code is ErrorCode.INVALID
    assert (dry.code, dry.outputs, dry.plan) == (0, fine.outputs, [])
    assert router.snapshot() == before


@pytest.mark.parametrize("name", [*STARTERS, "own"])
def test_forms_offer_the_variables_of_a_template(site, name):
    done = site.execute("TemplateVariables", TEMPLATE=name)
    offered = {one["value"]: one for one in json.loads(done.printed)}
    assert set(STARTERS.get(name, ())) <= set(offered)
    assert all(one["description"] for one in offered.values())


def test_variables_have_types(site):
    site.router()
    text = (
        "{#\nvariables:\n  n: {type: integer}\n  on: {type: boolean, default: true}\n"
        "  a: {type: ip}\n  s: {type: subnet}\n  c: {type: choice, choices: [x, y]}\n#}\n"
        "{{ n + 1 }} {{ on }} {{ a }} {{ s[1] }} {{ c }} {{ free|quoted }} {{ device.hostname }}\n"
    )
    fine = {"n": "4", "a": "2001:db8::1", "s": "10.0.0.0/30", "c": "x", "free": 'a "$b"'}

    push(site, "own", text, VARIABLES=rows(**fine))
    assert site.calls[0][1]["CHANGE"] == '5 yes 2001:db8::1 10.0.0.1 x "a \\"\\$b\\"" core-1\n'

    bad = {"n": "4x", "on": "maybe", "a": "10.0.0.300", "s": "10.0.0.1/24", "c": "z", "other": "1"}
    done = push(site, "own", text, VARIABLES=rows(**bad))
    assert done.error.code is ErrorCode.INVALID
    assert [name for name in (*bad, "free") if f"{name}" not in done.error.message] == []
    assert len(site.calls) == 1


@pytest.mark.parametrize(
    "text",
    [
        "{{ x }}",
        "{{ x.__class__.__mro__ }}",
        "{{ device.__init__ }}",
        "{% if %}",
        "{{ 1 / 0 }}",
        "{{ s[500] }}{# #}",
        "{{ secret|quoted }}",
        "{% for n in range(10000000) %}{% endfor %}",
    ],
)
def test_templates_cannot_do_harm(site, text):
    site.router()
    given = [row for row in rows(x="; /user remove admin", s="10.0.0.0/24") if row["NAME"] in text]
    done = push(site, "own", text, VARIABLES=given)
    assert (done.code, site.calls) == (17, [])
