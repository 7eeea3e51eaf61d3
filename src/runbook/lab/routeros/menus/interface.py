"""Menus below `/interface`."""

from __future__ import annotations

from runbook.lab.routeros.menu import Menu, Shape, bare_rows, properties, rows, settings

IDS = "interface"
TAKEN = "already have interface with such name"
COUNTERS = (
    "rx-byte:int=0@ tx-byte:int=0@ rx-packet:int=0@ tx-packet:int=0@ "
    "rx-error:int=0@ tx-error:int=0@ link-downs:int=0@"
)

INTERFACE = (
    Menu(
        "interface",
        properties(
            "name type@ mtu:int actual-mtu:int@ mac-address:mac@ last-link-up-time@ "
            f"running:bool@ dynamic:bool@ slave:bool@ {COUNTERS} comment disabled:bool=no"
        ),
        Shape.FIXED,
        exported=False,
        ids=IDS,
    ),
    rows(
        "interface/bridge",
        "name! mtu=auto arp:choice(enabled|disabled|proxy-arp|reply-only)=enabled "
        "mac-address:mac@ auto-mac:bool=yes admin-mac:mac "
        "protocol-mode:choice(none|stp|rstp|mstp)=rstp priority=0x8000 "
        "vlan-filtering:bool=no pvid:int=1 igmp-snooping:bool=no fast-forward:bool=yes "
        "ageing-time:duration=5m dhcp-snooping:bool=no frame-types=admit-all",
        unique=("name",),
        duplicate=TAKEN,
        ids=IDS,
    ),
    Menu(
        "interface/ethernet",
        properties(
            "name default-name@ mtu:int=1500 l2mtu:int=1598 mac-address:mac@ orig-mac-address:mac@ "
            "arp:choice(enabled|disabled|proxy-arp|reply-only)=enabled auto-negotiation:bool=yes "
            "advertise speed rx-flow-control:choice(on|off|auto)=off "
            "tx-flow-control:choice(on|off|auto)=off full-duplex:bool=yes poe-out "
            "loop-protect:choice(default|on|off)=default running:bool@ slave:bool@ "
            "comment disabled:bool=no"
        ),
        Shape.FIXED,
        unique=("name",),
        duplicate=TAKEN,
        found_by="default-name",
        ids=IDS,
    ),
    rows(
        "interface/wireguard",
        "name! listen-port:int=13231+ mtu:int=1420+ private-key# public-key@ running:bool@",
        unique=("name",),
        duplicate=TAKEN,
        ids=IDS,
        since=(7, 1),
    ),
    rows(
        "interface/vlan",
        "name! vlan-id:int! interface:interface! mtu:int=1500 "
        "arp:choice(enabled|disabled|proxy-arp|reply-only)=enabled use-service-tag:bool=no "
        "mac-address:mac@ running:bool@",
        unique=("name",),
        duplicate=TAKEN,
        ids=IDS,
    ),
    bare_rows(
        "interface/list",
        "name! include exclude comment builtin:bool@",
        unique=("name",),
        duplicate="already have such list name",
    ),
    rows("interface/list/member", "list! interface:interface!", unique=("list", "interface")),
    rows(
        "interface/bridge/port",
        "bridge:interface! interface:interface! pvid:int=1 priority=0x80 path-cost:int=10 "
        "horizon=none edge=auto hw:bool=yes learn=auto frame-types=admit-all "
        "ingress-filtering:bool=yes",
        unique=("interface",),
        duplicate="device already added as bridge port",
    ),
    rows(
        "interface/bridge/vlan",
        "bridge:interface! vlan-ids! tagged untagged",
    ),
    rows(
        "interface/wireguard/peers",
        "name interface:interface! public-key! private-key# preshared-key# endpoint-address "
        "endpoint-port:int=0 allowed-address persistent-keepalive:duration client-address "
        "client-dns client-endpoint client-keepalive:duration client-listen-port:int "
        "responder:bool=no current-endpoint-address@ current-endpoint-port:int=0@ "
        "last-handshake:duration@ rx:int=0@ tx:int=0@",
        unique=("interface", "public-key"),
        duplicate="entry already exists",
        since=(7, 1),
    ),
    Menu(
        "interface/wireless/registration-table",
        properties("interface@ mac-address@ signal-strength@ tx-rate@ rx-rate@ uptime@ tx-ccq@"),
        Shape.FACTS,
        exported=False,
        until=(7, 13),
    ),
    Menu(
        "interface/wifi/registration-table",
        properties("interface@ mac-address@ ssid@ signal@ tx-rate@ rx-rate@ uptime@ authorized@"),
        Shape.FACTS,
        exported=False,
        since=(7, 13),
    ),
    settings("interface/detect-internet", "detect-interface-list=none wan-interface-list=none"),
)
