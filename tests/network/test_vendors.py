"""What the templates of vendors hide of a configuration."""

import pytest

from mikrotik.scripts.bench import RUNBOOKS, forget

TOOLKIT = RUNBOOKS / "network"
IOS = """enable secret 9 $9$HIDDEN
username ann privilege 15 password 7 HIDDEN
tacacs-server host 192.0.2.1 timeout 5 key 7 HIDDEN
radius-server key HIDDEN
 key 6 HIDDEN
crypto isakmp key HIDDEN address 192.0.2.1
crypto isakmp key 6 HIDDEN address 192.0.2.1
 pre-shared-key address 192.0.2.1 key HIDDEN
 pre-shared-key local HIDDEN
 ip ospf message-digest-key 1 md5 7 HIDDEN
 ip ospf authentication-key 7 HIDDEN
ntp authentication-key 1 md5 HIDDEN 7
 standby 1 authentication md5 key-string 7 HIDDEN
  client 192.0.2.1 server-key 7 HIDDEN
snmp-server community HIDDEN RO
snmp-server host 192.0.2.1 version 2c HIDDEN
snmp-server host 192.0.2.1 traps HIDDEN"""
JUNOS = """set system root-authentication encrypted-password "$6$HIDDEN"
set system tacplus-server 192.0.2.1 secret "$9$HIDDEN"
set system ntp authentication-key 1 type md5 value "$9$HIDDEN"
set protocols ospf area 0 interface ge-0/0/0 authentication md5 1 key "$9$HIDDEN"
set security ike policy p pre-shared-key ascii-text "$9$HIDDEN"
set snmp v3 usm local-engine user u privacy-aes128 privacy-key "$9$HIDDEN"
set snmp community "HIDDEN HIDDEN" authorization read-only"""
GENERIC = """wlan passphrase "HIDDEN HIDDEN"
user ann password 7 HIDDEN
vpn psk HIDDEN"""
SHOWN = """key chain k
 key 1
service password-encryption
 authentication mode md5
ip ssh server algorithm mac hmac-md5 hmac-sha1
snmp-server host 192.0.2.1 version 3 priv ann
set system ntp server 192.0.2.1 key 1
interface Vlan10"""


@pytest.mark.parametrize(
    ("name", "config"), [("cisco-ios", IOS), ("junos", JUNOS), ("generic", GENERIC)]
)
def test_no_secret_is_left_and_nothing_else_is_hidden(monkeypatch, name, config):
    monkeypatch.syspath_prepend(str(TOOLKIT / "lib"))
    monkeypatch.chdir(TOOLKIT)
    try:
        from network_toolkit import vendors

        vendor = vendors.load(name, "", "")
        for line in config.splitlines():
            shown = vendor.without_secrets(line)
            assert ("HIDDEN" in shown, "***" in shown) == (False, True), shown
        whole = vendor.without_secrets(f"{config}\n{SHOWN}")
        assert "HIDDEN" not in whole
        assert whole.endswith(f"\n{SHOWN}")
    finally:
        forget("network_toolkit")
