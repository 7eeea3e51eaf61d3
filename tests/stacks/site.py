"""A stack on a real engine, and the toolkit's runbooks executed for it."""

import json
import os
from functools import cache
from pathlib import Path

from netbox.commands import Done, Toolkits

COMPOSE = """\
services:
  app:
    image: {image}
    volumes: ["data:/data"]
    stop_grace_period: 1s
{more}
volumes:
  data: {{}}
"""
HEALTH = "HEALTHCHECK --interval=1s --timeout=5s --retries=2 CMD test -e /healthy"


@cache
def image(engine, version, *, healthy=True, command=("sleep", "infinity"), more=()):
    """The ID of an image that differs for each version; one that isn't healthy never becomes so."""
    files = {"/version": version, **({"/healthy": ""} if healthy else {})}
    name = f"images/{version.lower()}:1"
    return engine.busybox(name, files, command=command, more=[HEALTH, *more])


class Ran(Done):
    """Outputs that aren't texts are JSON."""

    @property
    def outputs(self):
        found = super().outputs
        return {name: json.loads(it) if it[:1] in ("[", "{") else it for name, it in found.items()}


class Site:
    def __init__(self, engine, folder, name="web"):
        self.engine = engine
        self.name = name
        self.folder = folder / "stack"
        self.folder.mkdir()
        self.toolkits = Toolkits(folder, "stacks")
        programs = f"{engine.programs}/root/usr/bin"
        self.toolkits.environment["PATH"] = f"{programs}:{os.environ['PATH']}"
        self.connect("local", socket=str(engine.socket))
        self.offer("v1")
        self.write()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for listing, removing in (
            (["ps", "--all", "--quiet"], ["rm", "--force", "--volumes"]),
            (["volume", "ls", "--quiet"], ["volume", "rm", "--force"]),
            (["network", "ls", "--quiet", "--filter", "type=custom"], ["network", "rm"]),
        ):
            left = self.engine.out(*listing).split()
            if left:
                self.engine.docker(*removing, *left)

    def connect(self, name, **values):
        config = str(self.engine.folder / "config")
        self.toolkits.connect(name, "docker", config=config, **values)

    def offer(self, version, **more):
        """Make the stack's image another one. Returns its ID."""
        made = image(self.engine, version, **more)
        self.engine.docker("image", "tag", made, self.reference)
        return made

    @property
    def reference(self):
        return f"stacks/{self.name}:stable"

    def write(self, text=COMPOSE, *, image=None, more="    pull_policy: never"):
        content = text.format(image=image or self.reference, more=more)
        (self.folder / "compose.yaml").write_text(content)

    def given(self, **inputs):
        waits = {"WAIT": "30", "SETTLE": "2"}
        return {"ENGINE": "local", "STACK": self.name, "FOLDER": self.folder, **waits, **inputs}

    def execute(self, runbook, *options, **inputs):
        given = self.given(**inputs)
        if runbook in ("Drift", "Backup"):
            given = {name: one for name, one in given.items() if name not in ("WAIT", "SETTLE")}
        done = self.toolkits.execute(f"stacks/{runbook}.md", *options, **given)
        return Ran(done.code, done.events, done.stderr)

    def start(self, runbook, *options, **inputs):
        ref = f"stacks/{runbook}.md"
        return self.toolkits.start_execute(ref, *options, **self.given(**inputs))

    def status(self):
        done = self.toolkits.execute("stacks/Status.md", ENGINE="local")
        assert done.code == 0, done.text
        return Ran(done.code, done.events, done.stderr)

    def containers(self, service="app"):
        """What the engine has: each one's image ID, and whether it is running, by its own ID."""
        label = f"label=com.docker.compose.project={self.name}"
        filters = ["--filter", label, "--filter", f"label=com.docker.compose.service={service}"]
        ids = self.engine.out("ps", "--all", "--quiet", "--no-trunc", *filters).split()
        # Some may be gone by now: the others are printed all the same.
        done = self.engine.docker("inspect", *ids, check=False) if ids else None
        found = json.loads(done.stdout) if done else []
        return {one["Id"]: (one["Image"], one["State"]["Running"]) for one in found}

    def images(self, service="app"):
        """Of all containers, which must run."""
        found = self.containers(service)
        assert all(running for _, running in found.values())
        return sorted(image for image, _ in found.values())

    def everything(self):
        """All that the engine has, and all that is remembered."""
        kinds = (["ps", "--all"], ["image", "ls", "--all"], ["volume", "ls"], ["network", "ls"])
        listings = [self.engine.out(*kind, "--quiet", "--no-trunc") for kind in kinds[:2]]
        listings += [self.engine.out(*kind, "--quiet") for kind in kinds[2:]]
        names = self.engine.out("image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
        states = [*self.containers().items()]
        kept = {path: path.read_bytes() for path in self.state.rglob("*") if path.is_file()}
        kept.pop(self.state / "local" / self.name / "lock", None)
        return listings, sorted(names.splitlines()), states, kept

    @property
    def state(self):
        return Path(self.toolkits.folder) / "data/device-backups/stacks"
