"""What a kubelet does with the template of a pod, as far as processes notice it."""

import os
from pathlib import Path

from deploy.pod import USER, Pod


class ConfigMapFolder:
    """A mounted ConfigMap: names are links into `..data`, a link that a change replaces."""

    def __init__(self, folder, data):
        self.folder = folder
        self._version = 0
        folder.mkdir()
        self.update(data)
        for name in data:
            (folder / name).symlink_to(f"..data/{name}")

    def update(self, data):
        self._version += 1
        version = f"..2026_11_30_{self._version}"
        (self.folder / version).mkdir()
        for name, text in data.items():
            (self.folder / version / name).write_text(text)
        (self.folder / "..new").symlink_to(version)
        (self.folder / "..new").rename(self.folder / "..data")


class Kubelet:
    """Starts the pods of rendered objects. `secrets` are the contents of Secrets by name."""

    def __init__(self, folder, objects, secrets=None):
        self.folder = folder
        folder.chmod(0o755)
        self._maps = {
            one["metadata"]["name"]: one["data"] for one in objects if one["kind"] == "ConfigMap"
        }
        self._secrets = secrets or {}
        self._mounted = {}

    def config_map(self, name):
        """The folder in which it is mounted."""
        return self._folder(name, self._maps[name])

    def _folder(self, name, data):
        if name not in self._mounted:
            self._mounted[name] = ConfigMapFolder(self.folder / f"volume-{name}", data)
        return self._mounted[name]

    def environment(self, container):
        found = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
        # What the image sets by itself.
        found |= {"RUNBOOKS_DIR": "/runbooks", "DATA_DIR": "/data", "HOME": "/data"}
        for source in container.get("envFrom", ()):
            found |= self._maps[source["configMapRef"]["name"]]
        return found | {one["name"]: one["value"] for one in container.get("env", ())}

    def pod(self, name, template):
        """A pod that is not started."""
        spec = template["spec"]
        (container,) = spec["containers"]
        assert spec["securityContext"]["runAsUser"] == USER
        sources = {volume["name"]: self._source(volume) for volume in spec["volumes"]}
        mounts, writable = {}, set()
        for mount in container["volumeMounts"]:
            source = sources[mount["name"]]
            mounts[mount["mountPath"]] = source
            if not mount.get("readOnly"):
                writable.add(mount["mountPath"])
        return Pod(self.folder / name, name, mounts, writable=writable)

    def _source(self, volume):
        if "configMap" in volume:
            return self.config_map(volume["configMap"]["name"]).folder
        if "secret" in volume:
            data = self._secrets.get(volume["secret"]["secretName"], {})
            return self._folder(volume["secret"]["secretName"], data).folder
        folder = Path(self.folder / f"volume-{volume['name']}")
        folder.mkdir(exist_ok=True)
        os.chown(folder, USER, USER)
        return folder
