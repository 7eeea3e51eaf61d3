"""The console's language, its errors with their places, and exports that import again."""

# ruff: noqa: E501 - lines of the router

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.lab.routeros.errors import RouterError
from runbook.lab.routeros.router import Router
from runbook.lab.routeros.session import Session


@pytest.fixture
def router():
    return Router("7.18", certificate=False)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (":put (1 + 2 * 3)", "7"),
        (':put ("a" . "b" . 3)', "ab3"),
        (':local x 5; :put "x is $x and $($x + 1)"', "x is 5 and 6"),
        (":local x 5\n:if ($x > 3) do={ :put big } else={ :put small }", "big"),
        (":for i from=1 to=3 do={ :put $i }", "1\n2\n3"),
        (':foreach k,v in={a=1;b="two"} do={ :put "$k=$v" }', "a=1\nb=two"),
        (":put [:len [/interface ethernet find]]", "5"),
        (":put [/interface ethernet get [find default-name=ether2] name]", "ether2"),
        (':do { :error "no" } on-error={ :put caught }', "caught"),
        (":local n 0; :while ($n < 3) do={ :set n ($n + 1) }; :put $n", "3"),
        (':put [:pick "abcdef" 1 3]; :put [:find "abc" "c"]', "bc\n2"),
        (':if ("10.0.0.5" ~ "^10\\\\.") do={ :put yes }', "yes"),
        ("# a comment\n:put one ; :put two", "one\ntwo"),
        (':put "a\\\n    b"', "ab"),
        (":put [/ip address print count-only where interface=ether1]", "1"),
        (':put ([/ip address print as-value]->0->"address")', "192.168.88.1/24"),
        ("/ip address { add address=10.0.0.1/24 interface=ether2; :put [:len [find]] }", "2"),
        ("/ip/address/print count-only", "1"),
        ('/interface; print count-only where type="ether" !disabled', "5"),
        (":global g 4\n:put ($g = 4 && !false)", "true"),
    ],
)  # fmt: skip
def test_scripts(router, text, printed):
    assert router.run(text) == printed


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("/ip adress print", "bad command name adress", (1, 5)),
        ("/ip address\nadd adress=1", "expected end of command", (2, 5)),
        ("/system/resource/print bogus=1", "expected end of command", (1, 24)),
        (':put "a', "expected closing quote", (1, 6)),
        (":if (1 = 1) do={ :put x", "expected closing brace", (1, 16)),
        ("/nonsense/command", "syntax error", (1, 10)),
        (":put [/ip address find", "expected closing bracket", (1, 6)),
        ("/ip address add address=1.1.1.1/24 interface=ether1 oops", "expected end of command", (1, 53)),
    ],
)  # fmt: skip
def test_syntax_errors_have_their_place(router, text, message, place):
    with pytest.raises(RouterError) as caught:
        router.run(text)
    assert (caught.value.message, (caught.value.line, caught.value.column)) == (message, place)


EVERYTHING = r"""
/interface bridge add name=bridge1 comment="the \"bridge\" \$x"
/interface ethernet set [find default-name=ether2] name=lan comment="\E2\82\AC caf\C3\A9"
/interface vlan add name=v10 vlan-id=10 interface=bridge1 disabled=yes
/interface wireguard add name=wg0 listen-port=13231
/interface wireguard peers add interface=wg0 public-key="aGVsbG8gd29ybGQ=" allowed-address=10.10.0.2/32
/interface list add name=LAN
/interface list member add list=LAN interface=lan
/ip address add address=10.0.0.1/24 interface=bridge1
/ip firewall filter add chain=input connection-state=established,related comment="a rather long comment, so that the line must be broken, and not once but even twice in all, I'd say"
/ip firewall filter add chain=input protocol=tcp dst-port=22,8291 src-address-list=admins in-interface-list=LAN action=accept
/ip firewall nat add chain=srcnat action=masquerade out-interface=ether1
/ip dhcp-server add name=d interface=bridge1 address-pool=p disabled=yes
/ip pool add name=p ranges=10.0.0.10-10.0.0.20
/ip dns set servers=1.1.1.1,9.9.9.9 allow-remote-requests=yes
/ip service set telnet disabled=yes address=10.0.0.0/8
/system scheduler add name=s interval=1h on-event=":log info \"tick\"\r\n:put [/ip address find]" start-time=startup
/system script add name=sc source={:if (true) do={
  :put "x"
}}
/system note set note="two\nlines"
/user group add name=ops policy=read,write,ssh
/snmp set enabled=yes contact="a; b # c"
"""


@pytest.mark.parametrize("version", ["6.49.10", "7.12", "7.18", "7.20"])
@pytest.mark.parametrize("options", [(), ("terse",), ("verbose",)])
def test_an_export_makes_the_same_router(version, options):
    with Router(version, certificate=False) as first, Router(version, certificate=False) as second:
        lines = (
            EVERYTHING.replace("/interface wireguard", "# ") if first.release.is_6 else EVERYTHING
        )
        first.run(lines)
        exported = first.export("show-sensitive", *options)
        second.run("/ip address remove [find]; /ip route remove [find]")
        if "verbose" in options:
            exported = first.export("show-sensitive")
        second.run(exported)

        assert second.snapshot() == first.snapshot()
        assert all(len(line) <= 80 for line in first.export().splitlines())


def test_secrets_are_hidden_as_in_the_version():
    for version, shown in (("6.49.10", True), ("7.18", False)):
        router = Router(version, certificate=False)
        router.run("/snmp community add name=c authentication-password=hush")
        assert ("hush" in router.export()) == shown
        assert "hush" in router.export("show-sensitive")
        assert "hush" not in router.export("hide-sensitive")


@pytest.mark.parametrize(
    ("version", "header", "date"),
    [("6.49.10", "# jan/05/2024 10:00:", "jan/05/2024"), ("7.18", "# 2024-01-05 10:00:", "2024-01-05")],
)  # fmt: skip
def test_dates_are_as_in_the_version(version, header, date):
    with Router(version, certificate=False) as router:
        router.run(f"/system clock set date={date} time=10:00:00")
        assert router.export().startswith(header)
        assert router.run(":put [/system clock get date]") == date
        router.run("/system scheduler add name=s interval=1m on-event=x")
        assert f"start-date={date}" in router.run("/system scheduler print detail")


@settings(max_examples=30, deadline=None)
@given(st.text(st.sampled_from('ab "\\$\r\n\t;{}[]()#=é€_?'), max_size=200))
def test_any_text_survives_an_export(text):
    first, second = (Router("7.18", certificate=False) for _ in range(2))
    for path, name in (("system/script", "source"), ("interface/bridge", "comment")):
        values = {"name": "x", name: text}
        first.operations.add(first.menus[path], values, Session())
    second.run("/ip address remove [find]; /ip route remove [find]")
    second.run(first.export())
    assert second.snapshot() == first.snapshot()
    assert second.config.rows("system/script")[0].get("source", "") == text


def test_some_rows_of_a_menu_are_exported(router):
    router.run(
        "/ip firewall address-list; add list=a address=10.0.0.1; add list=b address=10.0.0.2"
    )
    said = router.run("/ip firewall address-list export where list=a")
    assert said.splitlines()[-1] == "add address=10.0.0.1 list=a"


def test_names_of_interfaces_follow(router):
    router.run("/ip firewall filter add chain=input in-interface=!ether2 action=accept")
    router.run("/interface set ether2 name=lan")
    assert "in-interface=!lan" in router.export()
    with pytest.raises(RouterError, match="does not match"):
        router.run("/ip address add address=10.0.0.1/24 interface=ether2")
