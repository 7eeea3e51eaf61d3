"""The manifests and the chart, against the API's schemas and the settings."""

import json
from functools import cache

import pytest
import yaml

from deploy import tools
from runbook.core.environ import SETTING_NAMES
from runbook.settings import Settings
from runbook.settings_checks import check_server

SECRET = "0123456789abcdef0123456789abcdef"
CHART = tools.DOCKER / "k8s/helm/runbook"
FULL = {
    "replicas": 3,
    "drainSeconds": 120,
    "preStopSeconds": 7,
    "secrets": {
        "jwtSecret": SECRET,
        "databaseUrl": "postgresql+psycopg://u:p@h/d",
        "redisUrl": "rediss://:p@h:6379/0",
    },
    "persistence": {"accessMode": "ReadWriteMany", "storageClass": "nfs"},
    "ingress": {"enabled": True, "tlsSecret": "tls"},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "image": {"repository": "registry.example/runbook", "tag": "1.2", "pullSecrets": ["pull"]},
    "settings": {"MAX_PARALLEL_RUNS": 4, "MAX_BODY_BYTES": 10485760, "ALLOW_UNDECLARED_ENV": True},
    "runbooks": {"from": "files", "files": {"A.md": '# A\n{{ "x" }}\n'}},
    "jobs": [{"name": "hello", "runbook": "Hello.md", "inputs": {"WHO": "a: b", "N": 1000000}}],
    "cronJobs": [
        {
            "name": "nightly",
            "runbook": "Hello.md",
            "schedule": "15 3 * * *",
            "inputsSecret": "inputs",
            "connectionsSecret": "connections",
            "ttlSecondsAfterFinished": 0,
        }
    ],
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "podAnnotations": {"x": "1"},
}
EXISTING = {
    "secrets": {"existingSecret": "mine", "hasDatabaseUrl": True, "hasRedisUrl": True},
    "runbooks": {"from": "image"},
    "persistence": {"enabled": False},
    "podDisruptionBudget": {"enabled": False},
    "networkPolicy": {"enabled": False},
}
CHARTS = {"default": {"secrets": {"jwtSecret": SECRET}}, "full": FULL, "existing": EXISTING}
FOLDERS = ("base", "overlays/single", "overlays/multi", "overlays/job")
RENDERED = (*FOLDERS, *(f"helm:{name}" for name in CHARTS))
OLDEST = (1, 29)
# Of the Prometheus operator, the fields that we use.
SERVICE_MONITOR = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "monitoring.coreos.com/v1"},
        "spec": {
            "type": "object",
            "additionalProperties": False,
            "required": ["selector", "endpoints"],
            "properties": {
                "selector": {"type": "object", "required": ["matchLabels"]},
                "endpoints": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "additionalProperties": False,
                        "properties": {
                            "port": {"type": "string"},
                            "path": {"type": "string"},
                            "interval": {"pattern": "^[0-9]+s$"},
                            "scrapeTimeout": {"pattern": "^[0-9]+s$"},
                        },
                    },
                },
            },
        },
    },
}
FITS = "import json, sys, jsonschema; jsonschema.validate(*json.load(sys.stdin))"
VALIDATE = """\
import json, sys, kubernetes_validate as k
objects = json.load(sys.stdin)
from pathlib import Path
folders = Path(k.__file__).parent.glob("kubernetes-json-schema/*-local-strict")
versions = sorted(tuple(map(int, f.name[1:].split("-")[0].split(".")[:2])) for f in folders)
wanted = [v for v in versions if v >= tuple(map(int, sys.argv[1:3]))]
for version in wanted:
    for one in objects:
        k.validate(one, "%d.%d" % version, strict=True)
print(json.dumps(wanted))
"""


def validate(instance, schema):
    tools.program("jsonschema")  # of the same environment
    tools.output(tools.TOOLS / "python", "-c", FITS, input=json.dumps([instance, schema]))


@cache
def rendered(name):
    if not name.startswith("helm:"):
        return tools.kustomize(name)
    values = json.dumps(CHARTS[name.removeprefix("helm:")])
    return tools.documents(tools.output(*tools.helm_command("--values", "-"), input=values))


@pytest.fixture(params=RENDERED)
def objects(request):
    return rendered(request.param)


def of(objects, *kinds):
    return [one for one in objects if one["kind"] in kinds]


def pods(objects):
    """The templates of pods."""
    for one in of(objects, "Deployment", "Job"):
        yield one["spec"]["template"]
    for one in of(objects, "CronJob"):
        yield one["spec"]["jobTemplate"]["spec"]["template"]


def containers(objects):
    for pod in pods(objects):
        yield from pod["spec"]["containers"]


def variables(objects, container):
    """The environment of a container, without what is in secrets."""
    maps = {one["metadata"]["name"]: one["data"] for one in of(objects, "ConfigMap")}
    found = {}
    for source in container.get("envFrom", ()):
        found |= maps[source["configMapRef"]["name"]]
    return found | {one["name"]: one["value"] for one in container.get("env", ())}


def test_objects_fit_the_schemas_of_all_supported_versions(objects):
    known = [one for one in objects if one["kind"] != "ServiceMonitor"]
    tools.program("kubernetes-validate")
    command = [tools.TOOLS / "python", "-c", VALIDATE, *map(str, OLDEST)]
    versions = json.loads(tools.output(*command, input=json.dumps(known)))
    assert tuple(versions[0]) == OLDEST
    assert len(versions) >= 8
    for monitor in of(objects, "ServiceMonitor"):
        validate(monitor, SERVICE_MONITOR)


def test_a_schema_notices_an_unknown_field():
    broken = [{**rendered("base")[0], "automountServiceAccountTokens": False}]
    tools.program("kubernetes-validate")
    command = [tools.TOOLS / "python", "-c", VALIDATE, *map(str, OLDEST)]
    assert tools.run(*command, input=json.dumps(broken)).returncode == 1


def test_the_service_monitor_selects_the_service():
    folder = tools.DOCKER / "k8s/components/servicemonitor"
    monitor = yaml.safe_load((folder / "service-monitor.yaml").read_text())
    validate(monitor, SERVICE_MONITOR)
    for name in ("overlays/multi", "helm:full"):
        found = rendered(name)
        (chosen,) = of(found, "ServiceMonitor") or [monitor]
        wanted = chosen["spec"]["selector"]["matchLabels"].items()
        chosen_port = chosen["spec"]["endpoints"][0]["port"]
        services = [s for s in of(found, "Service") if wanted <= s["metadata"]["labels"].items()]
        (service,) = services
        assert chosen_port in {port["name"] for port in service["spec"]["ports"]}


def test_every_container_is_confined(objects):
    for pod in pods(objects):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            read_only = {m["mountPath"] for m in container["volumeMounts"] if m.get("readOnly")}
            mounted = {m["mountPath"] for m in container["volumeMounts"]}
            assert mounted & {"/runbooks", "/run/server-secrets", "/run/secrets"} <= read_only


def test_every_variable_of_a_server_is_a_setting(objects):
    for deployment in of(objects, "Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert variables(objects, container).keys() <= SETTING_NAMES


def test_large_numbers_and_switches_are_written_as_the_settings_read_them():
    (container,) = containers(of(rendered("helm:full"), "Deployment"))
    given = variables(rendered("helm:full"), container)
    settings = Settings.load({k: v for k, v in given.items() if not k.endswith("_FILE")})
    assert settings.max_body_bytes == 10485760
    assert settings.allow_undeclared_env is True
    (job,) = containers(of(rendered("helm:full"), "Job"))
    assert variables([], job).items() >= {"WHO": "a: b", "N": "1000000"}.items()


def test_runbooks_are_not_taken_for_templates():
    data = [one["data"] for one in of(rendered("helm:full"), "ConfigMap")]
    assert {"A.md": FULL["runbooks"]["files"]["A.md"]} in data


def test_the_grace_period_fits_the_drain(objects, tmp_path):
    for deployment in of(objects, "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        given = variables(objects, container)
        pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
        stop = float(given["STOP_TIMEOUT_SECONDS"])
        assert pause + stop <= pod["terminationGracePeriodSeconds"]
        names = ("DRAIN_SECONDS", "STOP_TIMEOUT_SECONDS")
        environment = {name: given[name] for name in names}
        environment |= {"JWT_SECRET": SECRET, "RUNBOOKS_DIR": str(tmp_path)}
        check_server(Settings.load(environment))


def test_the_chart_derives_the_grace_period():
    (deployment,) = of(rendered("helm:full"), "Deployment")
    grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace == FULL["preStopSeconds"] + FULL["drainSeconds"] + 15


def test_probes_differ(objects):
    for container in containers(of(objects, "Deployment")):
        paths = {
            kind: container[f"{kind}Probe"]["httpGet"]["path"]
            for kind in ("startup", "liveness", "readiness")
        }
        assert paths == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}
        ready, live = container["readinessProbe"], container["livenessProbe"]
        assert ready["periodSeconds"] * ready["failureThreshold"] < (
            live["periodSeconds"] * live["failureThreshold"]
        )


def test_selectors_find_the_pods_of_the_server_only(objects):
    for deployment in of(objects, "Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"].items()
        for one in of(objects, "Service", "PodDisruptionBudget", "NetworkPolicy"):
            spec = one["spec"]
            selector = spec.get("podSelector", spec.get("selector"))
            wanted = selector.get("matchLabels", selector).items()
            assert wanted, one["kind"]
            assert wanted <= labels, one["kind"]
            for job in of(objects, "Job", "CronJob"):
                (pod,) = pods([job])
                assert not wanted <= pod["metadata"]["labels"].items()


def test_instances_with_sqlite_never_overlap():
    for name in ("base", "overlays/single", "helm:default"):
        (deployment,) = of(rendered(name), "Deployment")
        assert deployment["spec"]["strategy"] == {"type": "Recreate"}
        assert deployment["spec"]["replicas"] == 1
    for name in ("overlays/multi", "helm:full"):
        (deployment,) = of(rendered(name), "Deployment")
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {
            "maxSurge": 1,
            "maxUnavailable": 0,
        }
        assert deployment["spec"]["replicas"] == 3
        given = {e["name"] for e in next(containers([deployment]))["env"]}
        assert {"DATABASE_URL_FILE", "REDIS_URL_FILE"} <= given


def test_a_job_executes_its_runbook_once():
    for name in ("overlays/job", "helm:full"):
        specs = [one["spec"] for one in of(rendered(name), "Job")]
        specs += [one["spec"]["jobTemplate"]["spec"] for one in of(rendered(name), "CronJob")]
        assert len(specs) == 2
        for spec in specs:
            assert spec["backoffLimit"] == 0
            assert spec["ttlSecondsAfterFinished"] >= 0
            assert spec["template"]["spec"]["restartPolicy"] == "Never"
            (container,) = spec["template"]["spec"]["containers"]
            assert container["args"] == ["runbook", "execute", "--runbook", "Hello.md"]
        (cron,) = of(rendered(name), "CronJob")
        assert cron["spec"]["concurrencyPolicy"] == "Forbid"


def test_the_sample_is_the_same_everywhere_and_valid():
    copies = [
        tools.DOCKER / "k8s" / path
        for path in (
            "base/runbooks/Hello.md",
            "overlays/job/Hello.md",
            "helm/runbook/files/Hello.md",
        )
    ]
    assert len({path.read_bytes() for path in copies}) == 1
    python = tools.CHECKOUT / ".venv/bin/python"
    tools.output(python, "-m", "runbook", "lint", "--strict", copies[0])


def test_the_example_secret_has_what_the_manifests_use():
    text = (tools.DOCKER / "k8s/secret.example.yaml").read_text()
    (secret,) = tools.documents(text)
    for folder in ("overlays/single", "overlays/multi"):
        (container,) = containers(of(rendered(folder), "Deployment"))
        files = {
            value.rsplit("/", 1)[1]
            for name, value in variables(rendered(folder), container).items()
            if name.endswith("_FILE")
        }
        assert files <= secret["stringData"].keys()


# -- the chart -------------------------------------------------------------------------------------


def helm(values):
    return tools.run(*tools.helm_command("--values", "-"), input=json.dumps(values))


def with_secret(**values):
    return {"secrets": {"jwtSecret": SECRET}, **values}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({}, "jwtSecret"),
        ({"secrets": {"jwtSecret": "short"}}, "jwtSecret"),
        (with_secret(drainSeconds="30"), "drainSeconds"),
        (with_secret(replica=2), "replica"),
        (with_secret(replicas=2), "PostgreSQL"),
        (with_secret(settings={"JWT_SECRET": "x"}), "JWT_SECRET"),
        (with_secret(settings={"DRAIN_SECONDS": 9}), "DRAIN_SECONDS"),
        (with_secret(settings={"lower": "x"}), "lower"),
        (with_secret(runbooks={"from": "configMap"}), "configMap"),
        (with_secret(runbooks={"from": "elsewhere"}), "from"),
        (with_secret(persistence={"size": "10 GB"}), "size"),
        (with_secret(jobs=[{"name": "A_B", "runbook": "A.md"}]), "name"),
        (with_secret(jobs=[{"name": "a", "runbook": "A"}]), "runbook"),
        (with_secret(cronJobs=[{"name": "a", "runbook": "A.md"}]), "schedule"),
        ({"secrets": {"jwtSecret": SECRET, "databaseUrl": "mysql://x"}}, "databaseUrl"),
        (
            {"secrets": {"jwtSecret": SECRET, "databaseUrl": "postgresql://x"}, "replicas": 2},
            "ReadWriteMany",
        ),
    ],
)
def test_values_that_make_no_sense_are_refused(values, named):
    done = helm(values)
    assert done.returncode != 0
    assert named in done.stderr


def test_the_chart_passes_the_linter():
    done = tools.run(
        *(tools.program("helm"), "lint", "--strict", CHART, "--set", f"secrets.jwtSecret={SECRET}")
    )
    assert done.returncode == 0, done.stdout


def test_the_chart_creates_what_the_manifests_do():
    """Also with the same settings, but for what differs on purpose."""
    ours, theirs = rendered("overlays/single"), rendered("helm:default")
    created = {one["kind"] for one in theirs} - {"Secret"}
    assert created == {one["kind"] for one in ours}
    (a,), (b,) = (containers(of(one, "Deployment")) for one in (ours, theirs))
    differs = {"LOGGING_LEVEL", "STOP_TIMEOUT_SECONDS"}
    mine, chart = variables(ours, a), variables(theirs, b)
    assert {k: v for k, v in mine.items() if k not in differs} == {
        k: v for k, v in chart.items() if k not in differs
    }
    for same in ("securityContext", "startupProbe", "livenessProbe", "readinessProbe", "lifecycle"):
        assert a[same] == b[same]
