import pytest

from runbook.errors import ConfigurationError
from runbook.settings import Settings, config_items
from runbook.settings_checks import check_server, hidden_paths, prepare_data_dir

GOOD_SECRET = "0123456789abcdef0123456789abcdef"

FOLDERS = {"DATA_DIR": "data", "EXECUTION_DIR": "execution"}


@pytest.fixture
def environment(tmp_path):
    (tmp_path / "runbooks").mkdir()
    return {
        "RUNBOOKS_DIR": str(tmp_path / "runbooks"),
        "DATA_DIR": str(tmp_path / "data"),
        "JWT_SECRET": GOOD_SECRET,
    }


def test_defaults_are_those_of_the_contract():
    settings = Settings.load({})

    assert settings.api_port == 8083
    assert settings.bind_host == "127.0.0.1"
    assert settings.jwt_issuer == "dev-idp"
    assert settings.script_timeout_seconds == 600
    assert settings.max_output_size_bytes == 10485760
    assert settings.rate_limit_per_minute == 60
    assert not settings.enable_login


def test_an_empty_variable_counts_as_unset():
    assert Settings.load({"API_PORT": " "}).api_port == 8083


@pytest.mark.parametrize("word", ["true", "1", "YES", "on"])
def test_switches_understand_the_words_of_the_contract(word):
    assert Settings.load({"ENABLE_LOGIN": word}).enable_login


def test_every_wrong_variable_is_named_and_its_value_is_not():
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(
            {"API_PORT": "hunter2", "ENABLE_LOGIN": "maybe", "TRUSTED_PROXIES": "10.0.0.0/8,proxy"}
        )

    assert "API_PORT" in caught.value.message
    assert "ENABLE_LOGIN" in caught.value.message
    assert "TRUSTED_PROXIES" in caught.value.message
    assert "hunter2" not in caught.value.message


def test_items_say_where_a_value_comes_from_and_hide_secrets(environment):
    items = {item.name: item for item in config_items(Settings.load(environment))}

    assert items["JWT_SECRET"].value == "secret"
    assert items["JWT_SECRET"].source == "environment"
    assert items["API_PORT"].source == "default"
    assert items["ENABLE_LOGIN"].value == "false"


def test_a_good_configuration_is_accepted(environment):
    check_server(Settings.load(environment))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"JWT_SECRET": ""}, "JWT_SECRET"),
        ({"JWT_SECRET": "short"}, "JWT_SECRET"),
        ({"JWT_SECRET": "dev-secret-change-me"}, "JWT_SECRET"),
        ({"JWT_SECRET": "a" * 64}, "JWT_SECRET"),
        ({"JWT_ALGORITHM": "none"}, "JWT_ALGORITHM"),
        ({"JWT_ALGORITHM": "HS256,RS256"}, "JWT_ALGORITHM"),
        ({"JWT_ALGORITHM": "RS256"}, "JWT_JWKS_URL"),
        ({"JWT_JWKS_URL": "https://idp.example/keys"}, "JWT_JWKS_URL"),
        ({"ENABLE_LOGIN": "true", "BIND_HOST": "0.0.0.0"}, "ALLOW_REMOTE_DEV_LOGIN"),
        ({"RUNBOOKS_DIR": "/nowhere/at/all"}, "RUNBOOKS_DIR"),
    ],
)
def test_a_dangerous_configuration_is_refused_in_one_line(environment, changed, named):
    with pytest.raises(ConfigurationError) as caught:
        check_server(Settings.load(environment | changed))

    assert named in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == 78


@pytest.mark.parametrize("place", ["data", "data/exports", "execution"])
def test_scripts_can_never_write_where_the_engine_does(environment, tmp_path, place):
    folders = {name: str(tmp_path / folder) for name, folder in FOLDERS.items()}
    allowed = folders | {"ISOLATION_WRITABLE": f"{tmp_path}/site,/dev/ttyUSB0"}
    check_server(Settings.load(environment | allowed))
    refused = folders | {"ISOLATION_WRITABLE": str(tmp_path / place)}
    with pytest.raises(ConfigurationError, match="ISOLATION_WRITABLE"):
        check_server(Settings.load(environment | refused))


def test_the_engine_hides_its_folders_and_its_database(environment, tmp_path):
    given = {"DATA_DIR": "/d", "EXECUTION_DIR": "/e", "DATABASE_URL": "sqlite:////s/x.db"}
    hidden = {str(path) for path in hidden_paths(Settings.load(environment | given))}
    assert {"/d", "/e", "/run/secrets", "/run/connections", "/s/x.db", "/s/x.db-wal"} <= hidden
    given["DATABASE_URL"] = "postgresql://host/x"
    assert "/s/x.db" not in map(str, hidden_paths(Settings.load(environment | given)))


def test_another_user_of_scripts_can_pass_through_the_data_but_not_read_it(environment, tmp_path):
    data = tmp_path / "data"
    for name in ("toolkits", "artifacts", "keys"):
        (data / name).mkdir(parents=True)
    (data / "note").touch()
    settings = Settings.load(environment | {"DATA_DIR": str(data), "RUN_AS_USER": "runner"})
    prepare_data_dir(settings)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (data, *data.iterdir())}
    assert (modes["data"], modes["keys"], modes["toolkits"]) == (0o711, 0o711, 0o755)
    private = {name: mode for name, mode in modes.items() if mode & 0o077 == 0}
    assert set(private) == {"artifacts", "note", "runbook.db"}


@pytest.mark.parametrize("variable", ["DATA_DIR", "EXECUTION_DIR"])
@pytest.mark.parametrize("place", ["runbooks/inside", "runbooks", "."])
def test_data_and_execution_stand_apart_from_the_runbooks(environment, tmp_path, variable, place):
    with pytest.raises(ConfigurationError, match=variable):
        check_server(Settings.load(environment | {variable: str(tmp_path / place)}))


def test_dev_login_may_be_allowed_from_outside_in_so_many_words(environment):
    allowed = {
        "ENABLE_LOGIN": "true",
        "BIND_HOST": "0.0.0.0",
        "ALLOW_REMOTE_DEV_LOGIN": "true",
    }
    check_server(Settings.load(environment | allowed))


@pytest.mark.parametrize(("drain", "stop"), [("30", "44"), ("300", "300"), ("0", "14.9")])
def test_a_stop_timeout_that_ends_before_the_drain_is_refused(environment, drain, stop):
    changed = {"DRAIN_SECONDS": drain, "STOP_TIMEOUT_SECONDS": stop}
    with pytest.raises(ConfigurationError, match="STOP_TIMEOUT_SECONDS"):
        check_server(Settings.load(environment | changed))


@pytest.mark.parametrize(("drain", "stop"), [("30", "45"), ("300", "0"), ("0", "15")])
def test_a_stop_timeout_may_be_unknown_or_long_enough(environment, drain, stop):
    changed = {"DRAIN_SECONDS": drain, "STOP_TIMEOUT_SECONDS": stop}
    check_server(Settings.load(environment | changed))


def test_the_server_supplies_its_environment_but_never_its_settings(environment):
    settings = Settings.load(environment | {"REPO": "org/repo", "NO_PROXY": "x"})

    assert settings.supplied() == {"REPO": "org/repo", "NO_PROXY": "x"}


def test_only_variables_named_by_the_operator_are_passed(environment):
    named = {"SCRIPT_ENV_PASS": "NO_PROXY, ABSENT", "NO_PROXY": "x"}

    assert Settings.load(environment | named).passed() == {"NO_PROXY": "x"}


@pytest.mark.parametrize(
    "name", ["HOME", "PATH", "RUNBOOK_URL", "JWT_SECRET", "DATABASE_URL", "API_PORT", "A-B"]
)
def test_a_variable_that_would_not_be_passed_is_refused(environment, name):
    with pytest.raises(ConfigurationError, match=f"SCRIPT_ENV_PASS.*{name}"):
        Settings.load(environment | {"SCRIPT_ENV_PASS": f"NO_PROXY, {name}"})


def test_a_mount_needs_the_folder_that_is_mounted(environment, tmp_path):
    mounted = environment | {"MOUNT_DIR": "/srv/runs"}
    (tmp_path / "execution").mkdir()
    with pytest.raises(ConfigurationError, match="EXECUTION_DIR"):
        check_server(Settings.load(without(mounted, "EXECUTION_DIR")))
    check_server(Settings.load(mounted | {"EXECUTION_DIR": str(tmp_path / "execution")}))


def without(environment, name):
    return {key: value for key, value in environment.items() if key != name}
