"""The runbooks by the command line, with the inventory: what tests in one process can't see."""

import json

from mikrotik.scripts.bench import PASSWORD
from netbox.commands import Toolkits
from runbook.lab.routeros import router as simulator


class Shelf(Toolkits):
    def answer(self, *arguments):
        with self.start(*arguments) as process:
            stdout, stderr = process.communicate()
        assert process.returncode == 0, stderr
        return stdout


def test_a_router_is_added_polled_changed_and_reported_on(tmp_path):
    shelf = Shelf(tmp_path, "mikrotik")
    with simulator.Router("7.18", password=PASSWORD, identity="core-1") as router:
        values = {
            "host": "127.0.0.1",
            "port": router.api_ssl_port,
            "username": "admin",
            "password": PASSWORD,
            "ca": router.ca,
            "ssh_port": router.ssh_port,
        }
        file = tmp_path / "routers.yaml"
        file.write_text(json.dumps({"kind": "routeros", "values": values}))
        file.chmod(0o600)
        shelf.answer("connections", "add", "routers", "--file", str(file))

        added = shelf.execute("mikrotik/AddDevice.md", CONNECTION="routers", SITE="fra")
        pushed = shelf.execute("mikrotik/TemplatePush.md", ROUTER="core-1", TEMPLATE="firewall")
        rules = router.config.rows("ip/firewall/filter")
        named = [{"NAME": "name", "VALUE": "core-2"}]
        change = {"ACTION": "set", "MENU": "/system/identity", "VALUES": json.dumps(named)}
        changed = shelf.execute("mikrotik/Exec.md", ROUTER="core-1", **change)
        report = shelf.execute("mikrotik/Report.md", ROUTERS="site:fra")
        identity = router.run(":put [/system identity get name]")
        undone = shelf.rerun("undo", changed.run)
        restored = router.run(":put [/system identity get name]")

    assert not added.end.get("warnings"), added.end
    codes = [one.code for one in (added, pushed, changed, report, undone)]
    assert codes == [0] * 5, pushed.text + report.text
    assert len(rules) == 8
    assert report.outputs["FAILED"] == "[]"
    assert (identity.strip(), restored.strip()) == ("core-2", "core-1")
    [device] = json.loads(shelf.answer("inventory", "export", "--format", "json"))["devices"]
    assert (device["site"], device["version"]) == ("fra", "7.18")
    assert device["facts"]["state"] == "online"
