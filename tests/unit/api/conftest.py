"""The Flask application over a real engine without a worker: what it accepts stays queued."""

import jwt
import pytest
from prometheus_client import CollectorRegistry

from runbook.api.app import create_app
from runbook.api.context import Application
from runbook.bootstrap import build_authenticator, build_engine, build_toolkits
from runbook.engine.wakeups import Role
from runbook.settings import Settings

SECRET = "a-secret-of-more-than-thirty-two-bytes!"
RUNBOOK = """\
# Quick

# Environment Requirements
```yaml
```

# File System Requirements
```yaml
```

# Script
```sh
print quick
```

# History
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    (folder / "runbooks").mkdir()
    (folder / "runbooks" / "Quick.md").write_text(RUNBOOK)
    claims = "# Required Claims\n```yaml\nroles: sre\n```\n\n# Script"
    text = RUNBOOK.replace("# Script", claims).replace("# Quick", "# Sre")
    (folder / "runbooks" / "Sre.md").write_text(text)
    text = RUNBOOK.replace("```yaml\n```", "```yaml\nROUTER: {type: device, tag: core}\n```", 1)
    (folder / "runbooks" / "Poll.md").write_text(text.replace("# Quick", "# Poll"))
    environment = {
        "RUNBOOKS_DIR": str(folder / "runbooks"),
        "DATA_DIR": str(folder / "data"),
        "JWT_SECRET": SECRET,
        "ENABLE_LOGIN": "true",
        "RATE_LIMIT_ENABLED": "false",
    }
    return Settings.load(environment)


@pytest.fixture(scope="module")
def engine(settings):
    engine = build_engine(settings, Role.FOLLOWER)
    engine.open()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def application(settings, engine):
    authenticator, toolkits = build_authenticator(settings), build_toolkits(settings, engine)
    return Application(settings, engine, authenticator, toolkits, CollectorRegistry())


@pytest.fixture
def token():
    """Signs a caller's token; claims by keyword, `...` leaves one out."""

    def sign(key=SECRET, algorithm="HS256", **changed):
        claims = {
            "sub": "ann",
            "iss": "dev-idp",
            "aud": "dev-api",
            "exp": 4_000_000_000,
            "roles": ["admin", "sre"],
        }
        kept = {name: value for name, value in (claims | changed).items() if value is not ...}
        return jwt.encode(kept, key, algorithm=algorithm)

    return sign


@pytest.fixture(scope="module")
def app(application):
    return create_app(application)


@pytest.fixture
def stranger(app):
    """A client without a token."""
    return app.test_client()


@pytest.fixture
def client(app, token):
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token()}"
    return client
