"""Menus below `/ip`, `/ipv6`, `/routing` and `/snmp`."""

from __future__ import annotations

from runbook.lab.routeros.menu import Menu, Shape, bare_rows, properties, rows, settings

MATCHERS = (
    "src-address:range dst-address:range src-address-list dst-address-list "
    "protocol src-port:ports dst-port:ports port:ports in-interface:interface "
    "out-interface:interface in-interface-list out-interface-list connection-state "
    "connection-nat-state connection-mark packet-mark icmp-options tcp-flags limit "
    "src-mac-address dst-address-type src-address-type ipsec-policy content layer7-protocol "
    "connection-limit psd time dst-limit packet-size random:int hotspot fragment:bool tcp-mss "
    "dscp routing-mark connection-bytes connection-rate connection-type nth priority "
    "per-connection-classifier in-bridge-port in-bridge-port-list out-bridge-port "
    "out-bridge-port-list ingress-priority ipv4-options p2p realm tls-host ttl"
)
LOGGED = "log:bool=no log-prefix"
COUNTED = "bytes:int=0@ packets:int=0@ invalid:bool=no@"
TARGETS = "jump-target address-list address-list-timeout"

IP = (
    bare_rows(
        "ip/pool",
        "name! ranges! next-pool comment",
        unique=("name",),
        duplicate="pool with such name exists",
    ),
    rows(
        "ip/dhcp-server",
        "name! interface:interface! address-pool=static-only lease-time:duration=30m "
        "authoritative=yes bootp-support=static add-arp:bool=no always-broadcast:bool "
        "bootp-lease-time client-mac-limit conflict-detection:bool delay-threshold "
        "dhcp-option-set insert-queue-before lease-script parent-queue relay server-address "
        "use-framed-as-classless:bool use-radius",
        unique=("name",),
        duplicate="already have dhcp server with such name",
    ),
    settings(
        "ip/settings",
        "ip-forward:bool=yes rp-filter=no tcp-syncookies:bool=no accept-redirects:bool=no "
        "accept-source-route:bool=no allow-fast-path:bool=yes arp-timeout:duration=30s "
        "icmp-rate-limit:int=10 icmp-rate-mask=0x1818 max-neighbor-entries:int=16384 "
        "secure-redirects:bool=yes send-redirects:bool=yes",
    ),
    settings("ip/neighbor/discovery-settings", "discover-interface-list=static"),
    rows(
        "ip/address",
        "address:prefix! interface:interface! network:ip broadcast:ip netmask:ip "
        "actual-interface@ dynamic:bool=no@ "
        "invalid:bool=no@",
        unique=("address", "interface"),
        duplicate="already have such address",
    ),
    bare_rows(
        "ip/arp",
        "address:ip! mac-address:mac interface:interface! published:bool=no dynamic:bool=no@ "
        "complete:bool=yes@ comment disabled:bool=no",
    ),
    rows(
        "ip/dhcp-client",
        "interface:interface! add-default-route=yes default-route-distance:int=1 "
        "use-peer-dns:bool=yes use-peer-ntp:bool=yes dhcp-options=hostname,clientid script status@",
        unique=("interface",),
        duplicate="dhcp-client on that interface already exists",
    ),
    rows(
        "ip/dhcp-server/lease",
        "address! mac-address:mac client-id server lease-time:duration=0s host-name@ status@ "
        "dynamic:bool=no@ expires-after@ active-address@ active-mac-address@",
        unique=("address",),
        duplicate="already have static lease with such IP address",
    ),
    bare_rows(
        "ip/dhcp-server/network",
        "address:prefix! gateway dns-server domain netmask:int=0 ntp-server "
        "boot-file-name caps-manager dhcp-option dhcp-option-set dns-none:bool next-server "
        "wins-server comment",
        unique=("address",),
        duplicate="dhcp-network with this address exists",
    ),
    settings(
        "ip/dns",
        "servers dynamic-servers@ allow-remote-requests:bool=no cache-size:int=2048 "
        "cache-max-ttl:duration=1w max-udp-packet-size:int=4096 use-doh-server "
        "verify-doh-cert:bool doh-max-concurrent-queries:int doh-max-server-connections:int "
        "doh-timeout:duration max-concurrent-queries:int max-concurrent-tcp-sessions:int "
        "query-server-timeout:duration query-total-timeout:duration "
        "address-list-extra-time:duration",
    ),
    rows(
        "ip/dns/static",
        "name address cname text type ttl:duration=1d regexp address-list forward-to "
        "match-subdomain:bool mx-exchange mx-preference:int ns srv-port:int srv-priority:int "
        "srv-target srv-weight:int dynamic:bool=no@",
        ordered=True,
    ),
    rows(
        "ip/firewall/address-list",
        "list! address! timeout:duration dynamic:bool=no@ creation-time@",
        unique=("list", "address"),
    ),
    rows(
        "ip/firewall/filter",
        "chain! action:choice(accept|drop|reject|log|passthrough|jump|return|tarpit|"
        "fasttrack-connection|add-src-to-address-list|add-dst-to-address-list)=accept+ "
        f"{MATCHERS} {LOGGED} {TARGETS} reject-with hw-offload:bool {COUNTED}",
        ordered=True,
    ),
    rows(
        "ip/firewall/nat",
        "chain! action:choice(accept|drop|log|passthrough|jump|return|masquerade|dst-nat|src-nat|"
        "netmap|redirect|same|add-src-to-address-list|add-dst-to-address-list)=accept+ "
        f"to-addresses to-ports {MATCHERS} {LOGGED} {TARGETS} {COUNTED}",
        ordered=True,
    ),
    rows(
        "ip/firewall/mangle",
        "chain! action=accept+ new-connection-mark new-packet-mark new-routing-mark new-mss "
        "new-dscp new-priority "
        "new-ttl route-dst:ip sniff-id sniff-target:ip sniff-target-port:int "
        f"passthrough:bool=yes {MATCHERS} {LOGGED} {TARGETS} {COUNTED}",
        ordered=True,
    ),
    rows(
        "ip/firewall/raw",
        f"chain! action=accept+ {MATCHERS} {LOGGED} {TARGETS} {COUNTED}",
        ordered=True,
    ),
    rows(
        "ip/route",
        "dst-address:prefix=0.0.0.0/0+ gateway distance:int=1 scope:int=30 target-scope:int=10 "
        "routing-table pref-src:ip check-gateway blackhole:bool suppress-hw-offload:bool "
        "vrf-interface active:bool=yes@ "
        "dynamic:bool=no@ static:bool=yes@",
    ),
    Menu(
        "ip/service",
        properties(
            "name@ port:int address certificate tls-version=any vrf=main max-sessions:int=20 "
            "proto@ disabled:bool=no invalid:bool=no@"
        ),
        Shape.FIXED,
        found_by="name",
    ),
    settings(
        "ip/ssh",
        "strong-crypto:bool=no forwarding-enabled=no always-allow-password-login:bool=no "
        "host-key-size:int=2048 host-key-type:choice(rsa|ed25519)=rsa",
    ),
    Menu(
        "ip/neighbor",
        properties(
            "interface@ address@ address4@ mac-address@ identity@ platform@ version@ board@ "
            "uptime@ software-id@ interface-name@ system-description@ discovered-by@"
        ),
        Shape.FACTS,
        exported=False,
    ),
    rows(
        "ipv6/address",
        "address:prefix! interface:interface! advertise:bool=yes eui-64:bool=no from-pool "
        "no-dad:bool=no dynamic:bool=no@ invalid:bool=no@ link-local:bool=no@",
        unique=("address", "interface"),
        duplicate="already have such address",
    ),
    rows(
        "ipv6/firewall/filter",
        f"chain! action=accept+ {MATCHERS} {LOGGED} {TARGETS} reject-with hop-limit {COUNTED}",
        ordered=True,
    ),
    bare_rows(
        "routing/table",
        "name! fib:bool comment dynamic:bool=no@",
        unique=("name",),
        since=(7, 1),
    ),
    settings(
        "snmp",
        "enabled:bool=no contact location engine-id-suffix trap-community=public "
        "trap-version:int=1 trap-target src-address",
    ),
    rows(
        "snmp/community",
        "name! addresses=::/0 security=none read-access:bool=yes write-access:bool=no "
        "authentication-protocol=MD5 encryption-protocol=DES authentication-password# "
        "encryption-password# default:bool@",
        unique=("name",),
        found_by="default",
    ),
)
