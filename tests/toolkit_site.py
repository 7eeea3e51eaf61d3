"""A server's toolkits, on a real folder and database."""

from runbook.core.access import Decision, Principal
from runbook.core.run import Origin
from runbook.errors import AccessDeniedError
from runbook.library.catalog import Catalog, Source
from runbook.store.store import Store
from runbook.toolkits.installation import Installation
from runbook.toolkits.parts import Parts
from runbook.toolkits.switchboard import Switchboard
from runbook.toolkits.toolkits import Toolkits

ANN = Principal("ann", Origin.API)
BOB = Principal("bob", Origin.API)
RUNBOOK = (
    "# {name}\n\n# Environment Requirements\n```yaml\n```\n\n"
    "# File System Requirements\n```yaml\nInput:\n```\n\n"
    "# Script\n```sh\necho {text}\n```\n\n# History\n"
)


class Gate:
    """Lets everyone do what is not forbidden."""

    forbidden = ()
    hidden = ()

    def require(self, principal, permission):
        if permission in self.forbidden:
            raise AccessDeniedError

    def can(self, principal, permission, entry):
        return Decision(permission, (object(),) if permission in self.hidden else ())


class Site:
    """A server's toolkits, and a second process's view of them."""

    def __init__(self, folder):
        self.folder = folder
        self.own = folder / "runbooks"
        self.own.mkdir()
        self.store = Store(f"sqlite:///{folder}/runbook.db")
        self.store.maintenance.migrate()
        self.installation = Installation(folder / "toolkits")
        self.board, self.other_board = self.switchboard(), self.switchboard()
        self.catalog, self.other = self.catalog_of(self.board), self.catalog_of(self.other_board)
        self.gate = Gate()
        self.kinds, self.last_runs = {"ann": ["ssh"], "bob": []}, {}
        self.toolkits = self.made_of()

    def made_of(self, **more):
        return Toolkits(
            Parts(
                store=self.store,
                gate=self.gate,
                installation=self.installation,
                switchboard=self.board,
                catalog=self.catalog,
                bundled=self.folder / "bundled",
                engine_version="1.0.0",
                has_extra=lambda extra: extra == "there",
                usable_kinds=lambda principal: self.kinds[principal.subject],
                last_runs=lambda: self.last_runs,
                clock=lambda: 5,
                **more,
            )
        )

    def switchboard(self):
        marker = self.folder / "toolkits.changed"
        return Switchboard(self.store, self.folder / "toolkits", marker, lambda: 0.0)

    def catalog_of(self, board):
        return Catalog([Source(self.own)], added=board.sources)

    def make(self, version="1.0.0", text="one", more="", slug="lab", where="source"):
        folder = self.folder / where / slug
        folder.mkdir(parents=True, exist_ok=True)
        manifest = f"slug: {slug}\nname: Lab\nversion: {version}\n{more}"
        (folder / "toolkit.yaml").write_text(manifest)
        (folder / "Job.md").write_text(RUNBOOK.format(name="Job", text=text))
        (folder / "README.md").write_text("# Lab\n")
        return folder

    def installed(self, **given):
        return self.toolkits.install_folder(self.make(**given), ANN)

    def refs(self, catalog):
        return [entry.ref for entry in catalog.list().entries]
