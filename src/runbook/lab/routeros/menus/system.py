"""Menus below `/system`, `/user`, `/tool`, `/certificate`, `/file` and `/log`."""

from __future__ import annotations

from runbook.lab.routeros.menu import Menu, Shape, bare_rows, properties, rows, settings

POLICIES = (
    "local|telnet|ssh|ftp|reboot|read|write|policy|test|winbox|password|web|sniff|sensitive|api|"
    "romon|rest-api|dude|tikapp"
)
SCRIPT_POLICIES = "ftp|reboot|read|write|policy|test|password|sniff|sensitive|romon"
DEFAULT_POLICY = "ftp,reboot,read,write,policy,test,password,sniff,sensitive,romon"
OWNERS = frozenset({"policy"})


def fact(path: str, text: str, **options: object) -> Menu:
    names = " ".join(f"{name}@" for name in text.split())
    return Menu(path, properties(names), Shape.FACT, exported=False, **options)  # type: ignore[arg-type]


def facts(path: str, text: str, **options: object) -> Menu:
    names = " ".join(f"{name}@" for name in text.split())
    return Menu(path, properties(names), Shape.FACTS, exported=False, **options)  # type: ignore[arg-type]


SYSTEM = (
    settings(
        "system/clock",
        "time date time-zone-autodetect:bool=yes time-zone-name=UTC gmt-offset@",
    ),
    settings("system/identity", "name=MikroTik"),
    bare_rows(
        "system/logging/action",
        "name! target:choice(memory|disk|echo|remote|email)=memory memory-lines:int=1000 "
        "disk-file-name remote:ip remote-port:int=514 src-address bsd-syslog:bool=no "
        "syslog-facility=daemon default:bool@",
        unique=("name",),
        found_by="name",
    ),
    rows("system/logging", "topics! action=memory prefix default:bool@", found_by="topics"),
    settings("system/note", "note show-at-login:bool=yes show-at-cli-login:bool=no"),
    settings(
        "system/ntp/client",
        "enabled:bool=no mode=unicast servers primary-ntp:ip secondary-ntp:ip status@",
    ),
    bare_rows("system/ntp/client/servers", "address! comment disabled:bool=no", since=(7, 1)),
    rows(
        "system/scheduler",
        "name! start-date:date start-time:start interval:duration=0s on-event "
        f"policy:list({SCRIPT_POLICIES})={DEFAULT_POLICY}+ owner@ run-count:int=0@ next-run@",
        unique=("name",),
        duplicate="already have scheduled task with such name",
    ),
    bare_rows(
        "system/script",
        f"name! source owner@ policy:list({SCRIPT_POLICIES})={DEFAULT_POLICY} "
        "dont-require-permissions:bool=no comment run-count:int=0@ last-started@",
        unique=("name",),
        duplicate="already have script with such name",
    ),
    rows(
        "tool/netwatch",
        "host! type=simple interval:duration=10s timeout:duration=3s up-script down-script "
        "status@ since@",
    ),
    settings("tool/romon", "enabled:bool=no secrets#"),
    settings("tool/mac-server", "allowed-interface-list=all"),
    bare_rows(
        "user/group",
        f"name! policy:list({POLICIES}) skin=default comment default:bool@",
        unique=("name",),
        duplicate="group with the same name already exists",
        found_by="name",
        policies=OWNERS,
    ),
    rows(
        "user",
        "name! group=read password# address expired:bool=no@ last-logged-in@",
        unique=("name",),
        duplicate="user with the same name already exists",
        exported=False,
        policies=OWNERS,
    ),
    bare_rows(
        "user/ssh-keys",
        "user! key! key-owner@ bits@ key-type@",
        exported=False,
        policies=OWNERS,
    ),
    facts("user/active", "when name address via radius group"),
    bare_rows(
        "certificate",
        "name common-name subject-alt-name key-size days-valid:int=365 key-usage trusted:bool=no "
        "fingerprint@ invalid-before@ invalid-after@ issuer@ serial-number@ private-key:bool@ "
        "crl:bool@ authority:bool@ expires-after@",
        exported=False,
        unique=("name",),
    ),
    bare_rows(
        "file", "name! type contents size:int@ creation-time@ last-modified@", exported=False
    ),
    facts("log", "time topics message"),
    facts("system/history", "action by policy time undoable redoable floating-undo"),
    fact(
        "system/resource",
        "uptime version build-time factory-software free-memory total-memory cpu cpu-count "
        "cpu-frequency cpu-load free-hdd-space total-hdd-space write-sect-since-reboot "
        "write-sect-total bad-blocks architecture-name board-name platform last-config-change",
    ),
    fact(
        "system/routerboard",
        "routerboard board-name model serial-number firmware-type factory-firmware "
        "current-firmware upgrade-firmware",
    ),
    fact("system/health", "voltage temperature cpu-temperature", until=(7, 0)),
    facts("system/health", "name value type", since=(7, 0)),
    fact("system/license", "software-id nlevel features"),
    facts("system/package", "name version build-time scheduled available disabled size"),
    Menu(
        "system/package/update",
        properties("channel=stable installed-version@ latest-version@ status@"),
        Shape.SETTINGS,
        exported=False,
    ),
    fact("system/device-mode", "mode scheduler fetch", since=(7, 1)),
)
