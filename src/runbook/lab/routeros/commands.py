"""Commands beyond those that every menu has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from runbook.lab.routeros import backup, certificates, exporting, files, importing
from runbook.lab.routeros.clock import write_duration, write_moment
from runbook.lab.routeros.device import Device, Reply, Special
from runbook.lab.routeros.errors import Category, Rebooting, RouterError, failure
from runbook.lab.routeros.facts import FEATURES, MODES
from runbook.lab.routeros.grammar import Signature, Tree
from runbook.lab.routeros.menu import Menu, Shape
from runbook.lab.routeros.menus import menus_of
from runbook.lab.routeros.session import Session
from runbook.lab.routeros.state import Part
from runbook.lab.routeros.versions import NEWEST, Release

Given = Mapping[str, str]
Commands = dict[tuple[str, str], Special]
EXPORT = frozenset({"compact", "verbose", "terse", "show-sensitive", "hide-sensitive"})
PRINT = frozenset(
    {
        "detail", "brief", "terse", "as-value", "count-only", "without-paging", "value-list",
        "stats", "follow", "follow-only", "follow-strict", "once", "show-ids", "all", "dynamic",
        "static",
    }
)  # fmt: skip
CONFIRM_S = 300.0


def _export(path: str, *, where: bool = False) -> Special:
    def run(router: Device, session: Session, given: Given) -> Reply:
        options = dict(given)
        if "sensitive" not in session.policies:
            options.pop("show-sensitive", None)
            options["hide-sensitive"] = "yes"
        with router.lock:
            text = exporting.export(router, path, options)
        if given.get("file") and router.faults.truncates("export"):
            text = text[: len(text) // 2]
        if name := given.get("file"):
            files.write(router, name if name.endswith(".rsc") else f"{name}.rsc", text.encode())
            return Reply()
        return Reply(text=text)

    return Special(run, Signature(frozenset({"file"}), EXPORT, where=where), ("read",))


def _undo(router: Device, _: Session, __: Given) -> Reply:
    done = [one for one in router.state.history if not one.undone]
    if not done:
        raise failure("nothing to undo")
    with router.lock:
        router.config.put_back(done[-1].before)
        done[-1].undone = True
        _restored(router, done[-1].before)
    return Reply()


def _redo(router: Device, _: Session, __: Given) -> Reply:
    undone = next((one for one in router.state.history if one.undone), None)
    if undone is None:
        raise failure("nothing to redo")
    with router.lock:
        router.config.put_back(undone.after)
        undone.undone = False
        _restored(router, undone.after)
    return Reply()


def _restored(router: Device, part: Part) -> None:
    moment = write_moment(router.clock.now(), iso=router.release.has_iso_dates)
    router.state.facts["last-config-change"] = moment
    router.changed(*part.tables, *part.settings)


def _reboot(router: Device, _: Session, __: Given) -> Reply:
    router.reboot()
    raise Rebooting


def _shutdown(router: Device, _: Session, __: Given) -> Reply:
    router.shutdown()
    raise Rebooting


def _reset(router: Device, _: Session, given: Given) -> Reply:
    script = given.get("run-after-reset", "")
    if script and script not in router.state.files:
        raise RouterError("input does not match any value of run-after-reset", Category.ARGUMENT)
    router.reset(
        keep_users=given.get("keep-users") == "yes",
        no_defaults=given.get("no-defaults") == "yes",
        skip_backup=given.get("skip-backup") == "yes",
        script=script,
    )
    raise Rebooting


def _check_for_updates(router: Device, _: Session, __: Given) -> Reply:
    router.checked_for_updates = router.newest or NEWEST[router.release.number[0]]
    row = router.operations.rows(router.menus["system/package/update"])[0]
    text = "\n".join(f"  {name:>17}: {value}" for name, value in row.items())
    return Reply(text=text, rows=[row])


def _download(router: Device, session: Session, given: Given) -> Reply:
    if not router.checked_for_updates:
        _check_for_updates(router, session, given)
    router.downloaded = router.checked_for_updates
    status = "Downloaded, please reboot router to upgrade it"
    return Reply(text=f"  status: {status}", rows=[{"status": status}])


def _install(router: Device, session: Session, given: Given) -> Reply:
    _download(router, session, given)
    router.reboot()
    raise Rebooting


def _upgrade_firmware(router: Device, _: Session, __: Given) -> Reply:
    """The next restart writes it."""
    router.state.facts["new-firmware"] = router.release.text
    return Reply()


def _device_mode(router: Device, _: Session, given: Given) -> Reply:
    """Nothing changes until somebody presses the button or takes away the power."""
    mode = given.get("mode", router.state.facts.get("mode", router.release.default_mode))
    if mode not in MODES:
        raise RouterError("input does not match any value of mode", Category.ARGUMENT)
    router.wanted_mode = mode
    left = write_duration(CONFIRM_S)
    said = f"please activate by turning power off or pressing reset or mode button in {left}"
    pressed = router.button.wait(router.clock.real_seconds(CONFIRM_S))
    router.button.clear()
    router.wanted_mode = ""
    if not pressed:
        raise RouterError("update: timed out", Category.INTERRUPTED)
    router.state.facts["mode"] = mode
    for feature in FEATURES:
        router.state.facts.pop(f"mode/{feature}", None)
        if feature in given:
            router.state.facts[f"mode/{feature}"] = given[feature]
    router.log("system,info", f"device-mode changed to {mode}: {said}")
    router.reboot()
    raise Rebooting


def _run_script(router: Device, session: Session, given: Given) -> Reply:
    menu = router.menus["system/script"]
    which = given.get("numbers") or given.get(".id") or given.get("number") or ""
    row = router.operations.find(menu, which)
    output = router.run_script(row.get("source", ""), session)
    with router.lock:
        count = str(int(row.get("run-count", "0")) + 1)
        router.config.replace("system/script", row, {**row, "run-count": count})
    return Reply(text="\n".join(output))


def _read_file(router: Device, _: Session, given: Given) -> Reply:
    content = files.get(router, given.get("file", "")).content
    offset = int(given.get("offset") or 0)
    size = min(int(given.get("chunk-size") or 32768), 32768)
    part = content[offset : offset + size].decode("utf-8", "replace")
    return Reply(text=part, rows=[{"data": part}])


def _import_key(router: Device, session: Session, given: Given) -> Reply:
    content = files.get(router, given.get("public-key-file", "")).content.decode("utf-8", "replace")
    row = {"user": given.get("user", session.user), "key": content.strip()}
    router.operations.add(router.menus["user/ssh-keys"], row, session)
    return Reply()


def _ping(router: Device, session: Session, given: Given) -> Reply:
    """Every address answers, but those of the documentation (203.0.113.0/24) don't."""
    address, count = given.get("address", ""), int(given.get("count") or 4)
    answers = not address.startswith("203.0.113.")
    rows = []
    for n in range(count):
        row = {"seq": str(n), "host": address, "sent": str(n + 1)}
        said = {"size": "56", "ttl": "64", "time": "412us"} if answers else {"status": "timeout"}
        received = n + 1 if answers else 0
        loss = {"received": str(received), "packet-loss": "0" if answers else "100"}
        rows.append({**row, **said, **loss})
        if router.sleep(1 if n + 1 < count else 0, session.cancelled):
            break
    text = "\n".join(" ".join(f"{key}={value}" for key, value in row.items()) for row in rows)
    return Reply(text=text, rows=rows, ret=rows[-1]["received"])


def _log_entry(topic: str) -> Special:
    def run(router: Device, _: Session, given: Given) -> Reply:
        router.log(f"script,{topic}", given.get("message", ""))
        return Reply()

    return Special(run, Signature(frozenset({"message"}), unnamed=("message",)))


@dataclass(frozen=True)
class Vocabulary:
    """All that a version of RouterOS understands."""

    menus: dict[str, Menu]
    commands: Commands
    tree: Tree


@cache
def vocabulary(release: Release) -> Vocabulary:
    """Routers of the same version share it."""
    menus = menus_of(release)
    found = _specials(release, menus)
    return Vocabulary(menus, found, _tree(menus, found))


def _specials(release: Release, menus: dict[str, Menu]) -> Commands:
    names = Signature
    found = {
        ("", "export"): _export(""),
        ("", "import"): Special(
            importing.run,
            names(
                frozenset({"file-name", "from-line", "verbose"}),
                frozenset({"dry-run"} if release.has_dry_run else set()),
                ("file-name",),
            ),
            ("read", "write"),
        ),
        ("", "undo"): Special(_undo, policies=("write",)),
        ("", "redo"): Special(_redo, policies=("write",)),
        ("", "ping"): Special(
            _ping,
            names(frozenset({"address", "count", "interval", "size"}), unnamed=("address",)),
            ("test",),
        ),
        ("", "quit"): Special(lambda *_: Reply()),
        ("system", "reboot"): Special(_reboot, policies=("reboot",)),
        ("system", "shutdown"): Special(_shutdown, policies=("reboot",)),
        ("system", "reset-configuration"): Special(
            _reset,
            names(
                frozenset({"keep-users", "no-defaults", "skip-backup", "run-after-reset"})
            ),
            ("policy", "reboot"),
        ),
        ("system/backup", "save"): Special(
            backup.save,
            names(frozenset({"name", "password", "encryption"}), frozenset({"dont-encrypt"})),
            ("read", "policy"),
        ),
        ("system/backup", "load"): Special(
            backup.load,
            names(frozenset({"name", "password"})),
            ("write", "policy", "reboot"),
        ),
        ("system/package/update", "check-for-updates"): Special(
            _check_for_updates, names(flags=frozenset({"once"})), ("read",)
        ),
        ("system/package/update", "download"): Special(_download, policies=("write",)),
        ("system/package/update", "install"): Special(_install, policies=("write", "reboot")),
        ("system/routerboard", "upgrade"): Special(_upgrade_firmware, policies=("write",)),
        ("system/script", "run"): Special(
            _run_script,
            names(frozenset({"numbers", "number", ".id"}), unnamed=("numbers",)),
            ("read",),
        ),
        ("user/ssh-keys", "import"): Special(
            _import_key, names(frozenset({"public-key-file", "user"})), ("policy",)
        ),
        ("certificate", "import"): Special(
            certificates.import_file,
            names(frozenset({"file-name", "passphrase", "name", "trusted"})),
            ("write", "policy"),
        ),
        **{("log", topic): _log_entry(topic) for topic in ("info", "warning", "error", "debug")},
    }  # fmt: skip
    if release.reads_files:
        found["file", "read"] = Special(
            _read_file, names(frozenset({"file", "offset", "chunk-size"})), ("read",)
        )
    if release.has_device_mode:
        found["system/device-mode", "update"] = Special(
            _device_mode, names(frozenset({"mode", *FEATURES})), ("write", "policy")
        )
    for path in _folders(menus):
        has_rows = path in menus and menus[path].has_rows
        found[path, "export"] = _export(path, where=has_rows and release.exports_some)
    return found


def _tree(menus: dict[str, Menu], found: Commands) -> Tree:
    commands = {path: _commands(menu) for path, menu in menus.items()}
    for (path, name), special in found.items():
        commands.setdefault(path, {})[name] = special.signature
    folders = set(_folders(menus)) | {path for path, _ in found if path}
    return Tree(frozenset(folders), commands)


def _folders(menus: dict[str, Menu]) -> list[str]:
    found: dict[str, None] = {}
    for path in menus:
        parts = path.split("/")
        found.update({"/".join(parts[:n]): None for n in range(1, len(parts) + 1)})
    return list(found)


def _commands(menu: Menu) -> dict[str, Signature]:
    rows = menu.has_rows
    taken = frozenset(menu.properties)
    writable = frozenset(name for name, one in menu.properties.items() if not one.read_only)
    numbers = ("numbers",) if rows else ()
    found = {
        "print": Signature(
            frozenset({"append", "file", "from", "interval", "proplist", ".proplist"}),
            PRINT,
            where=rows,
        ),
        "get": Signature(frozenset({"value-name", "number"}), unnamed=("numbers", "value-name")),
    }
    if rows:
        found["find"] = Signature(where=True)
    if menu.writable:
        found["set"] = Signature(writable | {"numbers"}, unnamed=numbers)
    if menu.writable and rows:
        found["unset"] = Signature(
            frozenset({"numbers", "value-name"}), unnamed=("numbers", "value-name")
        )
        if "disabled" in taken:
            found["enable"] = found["disable"] = Signature(frozenset({"numbers"}), unnamed=numbers)
        if "comment" in taken:
            found["comment"] = Signature(frozenset({"numbers", "comment"}), unnamed=numbers)
    if menu.shape is Shape.LIST or menu.path == "interface":
        found["remove"] = Signature(frozenset({"numbers"}), unnamed=numbers)
    if menu.shape is Shape.LIST:
        placing = {"place-before", "copy-from"} if menu.ordered else {"copy-from"}
        found["add"] = Signature(writable | placing)
    if menu.ordered:
        found["move"] = Signature(
            frozenset({"numbers", "destination"}), unnamed=("numbers", "destination")
        )
    return found
