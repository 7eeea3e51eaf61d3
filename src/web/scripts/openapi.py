"""Print the API's own OpenAPI document as JSON, without a server or a database."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

from prometheus_client import CollectorRegistry

from runbook.api.app import create_app
from runbook.api.context import Application
from runbook.api.openapi.document import document
from runbook.settings import Settings


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        runbooks = Path(folder, "runbooks")
        runbooks.mkdir()
        environment = {"DATA_DIR": str(Path(folder, "data")), "RUNBOOKS_DIR": str(runbooks)}
        settings = Settings.load(environment, rate_limit_enabled=False)
        # The routes alone make the document: no view is called.
        nothing = cast("Any", None)
        app = create_app(Application(settings, nothing, nothing, nothing, CollectorRegistry()))
        json.dump(document(app.url_map, app.view_functions), sys.stdout)


if __name__ == "__main__":
    main()
