"""Menus that templates and backups of ordinary routers hold, and that nothing here depends on."""

from __future__ import annotations

from runbook.lab.routeros.menu import Menu, Shape, bare_rows, properties, rows, settings

IDS = "interface"
TAKEN = "already have interface with such name"
WIFI = (7, 13)


def interface(path: str, text: str, **options: object) -> Menu:
    found = f"name! {text} running:bool@"
    return rows(path, found, unique=("name",), duplicate=TAKEN, ids=IDS, **options)


MORE = (
    Menu(
        "interface/wireless",
        properties(
            "name default-name@ mode=station ssid=MikroTik band frequency channel-width "
            "country=no_country_set security-profile=default wireless-protocol=any "
            "installation=any distance=indoors hide-ssid:bool=no wps-mode=push-button "
            "mtu:int=1500 mac-address:mac@ running:bool@ comment disabled:bool=no"
        ),
        Shape.FIXED,
        found_by="default-name",
        ids=IDS,
        until=WIFI,
    ),
    bare_rows(
        "interface/wireless/security-profiles",
        "name! mode=none authentication-types unicast-ciphers group-ciphers "
        "wpa-pre-shared-key# wpa2-pre-shared-key# supplicant-identity default:bool@ comment",
        unique=("name",),
        found_by="default",
        until=WIFI,
    ),
    rows(
        "interface/wifi/security",
        "name! authentication-types passphrase# wps ft:bool ft-over-ds:bool encryption",
        unique=("name",),
        since=WIFI,
    ),
    rows(
        "interface/wifi/configuration",
        "name! mode ssid country security channel hide-ssid:bool manager security.passphrase# "
        "security.authentication-types",
        unique=("name",),
        since=WIFI,
    ),
    Menu(
        "interface/wifi",
        properties(
            "name default-name@ configuration configuration.mode configuration.ssid "
            "configuration.country security security.passphrase# security.authentication-types "
            "channel channel.band channel.width channel.frequency mtu:int=1500 mac-address:mac@ "
            "running:bool@ comment disabled:bool=no"
        ),
        Shape.FIXED,
        found_by="default-name",
        ids=IDS,
        since=WIFI,
    ),
    interface(
        "interface/bonding",
        "slaves! mode=balance-rr mtu:int=1500 lacp-rate=30secs transmit-hash-policy=layer-2",
    ),
    interface("interface/eoip", "remote-address:ip local-address:ip tunnel-id:int! mtu=auto"),
    interface("interface/gre", "remote-address:ip! local-address:ip mtu=auto keepalive"),
    interface(
        "interface/pppoe-client",
        "interface:interface! user password# add-default-route:bool=no use-peer-dns:bool=no "
        "service-name profile=default",
    ),
    interface("interface/vrrp", "interface:interface! vrid:int=1 priority:int=100 version:int=3"),
    rows(
        "ip/dhcp-relay",
        "name! interface:interface! dhcp-server! local-address:ip",
        unique=("name",),
    ),
    bare_rows("ip/dhcp-server/option", "name! code:int! value comment", unique=("name",)),
    settings("ip/cloud", "ddns-enabled=auto update-time:bool=yes"),
    settings("ip/proxy", "enabled:bool=no port:ports=8080"),
    settings("ip/socks", "enabled:bool=no port:ports=1080"),
    settings("ip/upnp", "enabled:bool=no allow-disable-external-interface:bool=no"),
    bare_rows(
        "ip/ipsec/profile",
        "name! dh-group enc-algorithm hash-algorithm lifetime:duration=1d nat-traversal:bool=yes",
        unique=("name",),
    ),
    rows(
        "ip/ipsec/peer",
        "name! address exchange-mode=main profile=default passive:bool=no local-address",
        unique=("name",),
    ),
    rows("ip/ipsec/identity", "peer! secret# auth-method=pre-shared-key generate-policy=no"),
    rows(
        "ip/ipsec/policy",
        "peer src-address dst-address tunnel:bool=no action=encrypt level=require "
        "proposal=default protocol=all",
        ordered=True,
    ),
    rows("ipv6/route", "dst-address:prefix! gateway distance:int=1 dynamic:bool=no@"),
    rows("ipv6/firewall/address-list", "list! address! timeout:duration dynamic:bool=no@"),
    settings("ipv6/settings", "disable-ipv6:bool=no forward:bool=yes accept-router-advertisements"),
    rows("ipv6/nd", "interface! ra-interval advertise-dns:bool=yes other-configuration:bool=no"),
    bare_rows(
        "ppp/profile",
        "name! local-address remote-address dns-server use-encryption=default comment",
        unique=("name",),
    ),
    rows(
        "ppp/secret",
        "name! password# service=any profile=default local-address:ip remote-address",
        unique=("name", "service"),
    ),
    rows(
        "queue/simple",
        "name! target! max-limit limit-at priority queue burst-limit parent=none dst "
        "packet-marks time",
        unique=("name",),
        ordered=True,
    ),
    rows(
        "radius", "service address:ip secret# timeout:duration=300ms authentication-port:int=1812"
    ),
    rows(
        "routing/ospf/instance",
        "name! version:int=2 router-id vrf=main redistribute",
        unique=("name",),
        since=(7, 1),
    ),
    rows(
        "routing/ospf/area",
        "name! instance! area-id:ip=0.0.0.0 type=default",
        unique=("name",),
        since=(7, 1),
    ),
    rows(
        "routing/ospf/interface-template",
        "area! interfaces networks cost:int=1 priority:int=128 type=broadcast passive",
        since=(7, 1),
    ),
    rows(
        "routing/bgp/connection",
        "name! as remote.address remote.as local.role router-id templates=default",
        unique=("name",),
        since=(7, 1),
    ),
    settings("system/ntp/server", "enabled:bool=no broadcast:bool=no manycast:bool=no"),
    settings("system/watchdog", "watchdog-timer:bool=yes automatic-supout:bool=yes watch-address"),
    settings(
        "tool/bandwidth-server", "enabled:bool=yes authenticate:bool=yes max-sessions:int=100"
    ),
    settings("tool/mac-server/mac-winbox", "allowed-interface-list=all"),
    settings("tool/mac-server/ping", "enabled:bool=yes"),
    settings("tool/e-mail", "server port:int=25 from user password#"),
    settings("user/aaa", "use-radius:bool=no default-group=read accounting:bool=yes"),
)
