"""The compose files, as Docker Compose understands them."""

import os
import re
import stat

import pytest

from deploy import tools
from runbook.core.environ import SECRET_FILES, SETTING_NAMES
from runbook.settings import Settings
from runbook.settings_checks import check_server

VARIANTS = ("dev", "single", "multi")
FILES = [*((name,) for name in VARIANTS), *((name, f"{name}.packaged") for name in VARIANTS)]
ENGINE_USER = "10001:10001"


@pytest.fixture(params=FILES, ids=":".join)
def files(request):
    return request.param


@pytest.fixture
def services(files):
    return tools.compose(*files)["services"]


@pytest.fixture
def engines(services):
    found = {n: one for n, one in services.items() if one.get("command") == ["runbook", "serve"]}
    assert len(found) == (3 if "postgres" in services else 1)
    return found


def test_the_files_are_valid(files):
    options = [word for file in files for word in ("-f", tools.DOCKER / f"compose.{file}.yaml")]
    done = tools.run(tools.program("docker-compose"), *options, "config", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_service_is_confined(services):
    for name, one in services.items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        assert "cap_add" not in one, name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", one["user"]), name
        assert int(one["mem_limit"]) > 0, name
        assert one["pids_limit"] > 0, name
        assert one["ulimits"]["nofile"] == {"soft": 16384, "hard": 16384}, name
        assert "privileged" not in one, name
        assert one["healthcheck"]["interval"], name


def test_engines_run_as_the_user_of_the_image_with_read_only_runbooks(files, engines):
    for one in engines.values():
        assert one["user"] == ENGINE_USER
        assert one["environment"]["HISTORY"] == "store"
        mounts = {volume["target"]: volume for volume in one["volumes"]}
        if len(files) > 1:
            assert mounts.keys() == {"/data"}
        else:
            assert mounts["/runbooks"]["read_only"] is True
            assert mounts.keys() == {"/data", "/runbooks"}


def test_every_variable_is_a_setting(engines):
    for one in engines.values():
        assert one["environment"].keys() <= SETTING_NAMES
        assert "build" in one or one["image"]


def test_secrets_come_from_files_that_runbooks_are_not_offered(services, engines):
    for one in services.values():
        named = one.get("environment") or {}
        paths = {value for name, value in named.items() if name.endswith("_FILE")}
        mounted = {secret["target"] for secret in one.get("secrets", ())}
        assert paths <= mounted
        assert not any(path.startswith(f"{Settings().secrets_dir}/") for path in mounted)
    for one in engines.values():
        assert {name for name in one["environment"] if name.endswith("_FILE")} <= SECRET_FILES


def test_an_engine_accepts_its_stop_timeout(engines, tmp_path):
    for one in engines.values():
        given = one["environment"]
        names = ("DRAIN_SECONDS", "STOP_TIMEOUT_SECONDS")
        environment = {name: given[name] for name in names}
        environment |= {"JWT_SECRET": "0123456789abcdef" * 2, "RUNBOOKS_DIR": str(tmp_path)}
        check_server(Settings.load(environment))
        assert seconds(one["stop_grace_period"]) == float(given["STOP_TIMEOUT_SECONDS"])


def test_a_longer_drain_needs_a_longer_stop_timeout():
    environment = {"DRAIN_SECONDS": "300", "STOP_TIMEOUT_SECONDS": "330"}
    one = tools.compose("single", **environment)["services"]["engine"]
    assert seconds(one["stop_grace_period"]) == 330
    assert one["environment"].items() >= environment.items()


def seconds(duration):
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)([hms])", duration))


def test_postgresql_has_connections_for_all_processes_and_the_right_encoding():
    services = tools.compose("multi")["services"]
    engines = [one for name, one in services.items() if name.startswith("engine-")]
    needed = sum((int(one["environment"]["WEB_PROCESSES"]) + 1) * 15 for one in engines)
    postgres = services["postgres"]
    (allowed,) = re.findall(r"max_connections=(\d+)", " ".join(postgres["command"]))
    assert int(allowed) >= needed
    assert "--encoding=UTF8" in postgres["environment"]["POSTGRES_INITDB_ARGS"].split()
    assert services["redis"]["networks"].keys() == postgres["networks"].keys() == {"backend"}


def test_engines_trust_only_the_address_of_nginx():
    for files in ("single", "multi"):
        model = tools.compose(files, EDGE_NETWORK="10.9.8")
        nginx = model["services"]["nginx"]
        address = nginx["networks"]["edge"]["ipv4_address"]
        assert address == "10.9.8.10"
        known = dict(host.split("=") for host in nginx["extra_hosts"])
        for name, one in model["services"].items():
            if name.startswith("engine"):
                assert one["environment"]["TRUSTED_PROXIES"] == address
                assert one["networks"]["edge"]["ipv4_address"] == known[name]


def test_the_development_login_is_published_on_the_loopback_address_only():
    (port,) = tools.compose("dev")["services"]["engine"]["ports"]
    assert port["host_ip"] == "127.0.0.1"
    for files in ("single", "multi"):
        for one in tools.compose(files)["services"].values():
            assert "ENABLE_LOGIN" not in (one.get("environment") or {})


# -- secrets ---------------------------------------------------------------------------------------


def make_secrets(folder, *arguments):
    environment = {"PATH": os.environ["PATH"], "SECRETS_FOLDER": str(folder)}
    return tools.run(tools.DOCKER / "secrets.sh", *arguments, env=environment)


def test_secrets_are_created_once_and_hidden_from_other_users(tmp_path):
    folder = tmp_path / "secrets"
    assert make_secrets(folder, "runbooks.example.com").returncode == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    wanted = {
        name.rsplit("/", 1)[-1]
        for name in re.findall(
            r"file: \S*/(\S+?)\"?\}", (tools.DOCKER / "compose.multi.yaml").read_text()
        )
    }
    assert before.keys() == wanted
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    again = make_secrets(folder)
    assert (again.returncode, again.stdout) == (0, "")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    certificate = tools.output("openssl", "x509", "-noout", "-text", "-in", folder / "tls.crt")
    assert "DNS:runbooks.example.com" in certificate


def test_the_secrets_fit_the_settings(tmp_path):
    make_secrets(tmp_path / "secrets")
    files = {name: name.removesuffix("_FILE").lower() for name in SECRET_FILES}
    environment = {name: str(tmp_path / "secrets" / file) for name, file in files.items()}
    check_server(Settings.load({**environment, "RUNBOOKS_DIR": str(tmp_path)}))


@pytest.mark.parametrize("host", ["a b", "a/../b", "x;y", "-\nx"])
def test_a_host_that_is_none_is_refused(tmp_path, host):
    done = make_secrets(tmp_path / "secrets", host)
    assert done.returncode == 2
    assert not (tmp_path / "secrets").exists()
