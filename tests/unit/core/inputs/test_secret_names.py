import pytest

from runbook.core.document import Input, InputType
from runbook.core.inputs.secret_names import is_sensitive, looks_secret

CASES = "SSH_KEY DEPLOY_KEY DB_PASS PGPASSWORD DBPASSWORD GITHUB_PAT APITOKEN SECRETKEY PASSCODE"


@pytest.mark.parametrize(
    "name",
    [
        *CASES.split(),
        *("GPG_KEY", "PASSWORD", "API_TOKEN", "db_secret", "API_KEY", "PRIVATE_KEY", "KEY", "PASS"),
        *("AWS_ACCESS_KEY", "PASSWORD2", "DB_PASSWORD_OLD", "apiToken", "CREDENTIALS", "TOKEN"),
    ],
)
def test_a_name_may_tell_a_secret(name):
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("KEY_FILE", "SORT_KEY", "TOKENS_MAX", "KEYBOARD", "SECRETARY", "BYPASS", "COMPASS"),
        *("SSH_PUBLIC_KEY", "TOKEN_TTL", "PASSWORD_LENGTH", "MONKEY", "PATH", "PASSENGERS", "_"),
    ],
)
def test_other_names_tell_none(name):
    assert not looks_secret(name)


@pytest.mark.parametrize(
    ("item", "sensitive"),
    [
        (Input("DB_PASS", "", 1), True),
        (Input("DB_PASS", "", 1, type=InputType.STRING, typed=True), False),
        (Input("HOST", "", 1, type=InputType.SECRET, typed=True), True),
        (Input("HOST", "", 1), False),
    ],
)
def test_a_type_says_it_better_than_a_name(item, sensitive):
    assert is_sensitive(item) is sensitive
