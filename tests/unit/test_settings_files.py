import os

import pytest

from runbook.core.environ import SECRET_FILES
from runbook.errors import ConfigurationError
from runbook.settings import FIELDS, Settings, config_items
from runbook.settings_files import MAX_BYTES
from runbook.settings_kinds import Secret

VALUE = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text(f"{VALUE}\n")
    return path


def test_every_secret_setting_may_be_in_a_file():
    secrets = {name for name, field in FIELDS.items() if field.metadata["read"] is Secret}
    assert {f"{name.upper()}_FILE" for name in secrets} == SECRET_FILES


@pytest.mark.parametrize("name", ["JWT_SECRET", "DATABASE_URL", "REDIS_URL"])
def test_a_secret_is_read_from_its_file_without_the_line_feed(secret, name):
    settings = Settings.load({f"{name}_FILE": str(secret)})
    assert getattr(settings, name.lower()).get_secret_value() == VALUE
    (item,) = [item for item in config_items(settings) if item.name == name]
    assert (item.value, item.source) == ("secret", "environment")


@pytest.mark.parametrize("content", [f"{VALUE}\r\n", VALUE, f"{VALUE}\n"])
def test_only_the_end_of_the_line_is_removed(secret, content):
    secret.write_bytes(content.encode())
    settings = Settings.load({"JWT_SECRET_FILE": f" {secret} "})
    assert settings.jwt_secret.get_secret_value() == VALUE


def test_spaces_are_part_of_the_value(secret):
    secret.write_text(f" {VALUE} \n\n")
    settings = Settings.load({"JWT_SECRET_FILE": str(secret)})
    assert settings.jwt_secret.get_secret_value() == f" {VALUE} \n"


def test_an_empty_variable_counts_as_unset():
    assert Settings.load({"JWT_SECRET_FILE": ""}).jwt_secret.get_secret_value() == ""


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"x" * (MAX_BYTES + 1)])
def test_a_file_without_a_value_is_refused(secret, content):
    secret.write_bytes(content)
    with pytest.raises(ConfigurationError, match="JWT_SECRET_FILE"):
        Settings.load({"JWT_SECRET_FILE": str(secret)})


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: None])
def test_what_is_no_file_is_refused_without_waiting(tmp_path, make):
    path = tmp_path / "other"
    make(path)
    with pytest.raises(ConfigurationError, match="REDIS_URL_FILE"):
        Settings.load({"REDIS_URL_FILE": str(path)})


def test_a_value_and_a_file_exclude_each_other(secret):
    with pytest.raises(ConfigurationError, match="JWT_SECRET_FILE") as caught:
        Settings.load({"JWT_SECRET": "another", "JWT_SECRET_FILE": str(secret)})
    assert VALUE not in caught.value.message
    assert "another" not in caught.value.message


def test_inputs_and_scripts_are_not_given_the_file(secret):
    settings = Settings.load({"JWT_SECRET_FILE": str(secret), "OTHER_FILE": "x"})
    assert settings.supplied() == {"OTHER_FILE": "x"}
    with pytest.raises(ConfigurationError, match="SCRIPT_ENV_PASS"):
        Settings.load({"SCRIPT_ENV_PASS": "JWT_SECRET_FILE"})
