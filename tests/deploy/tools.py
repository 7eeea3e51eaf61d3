"""The programs of scripts/deploy_tools.sh, and what they make of the files in docker/."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import yaml

from needs import need

CHECKOUT = Path(__file__).parents[2]
DOCKER = CHECKOUT / "docker"
TOOLS = CHECKOUT / ".tools/deploy/bin"


def program(name):
    """The path of a program; without it, the test is skipped, or fails in CI."""
    on_path = shutil.which(name, path=f"{TOOLS}:/usr/sbin:/usr/local/sbin:{os.environ['PATH']}")
    need(on_path, f"{name}: scripts/deploy_tools.sh installs it")
    return on_path


def run(*command, **more):
    given = {"capture_output": True, "text": True, **more}
    return subprocess.run(list(map(str, command)), check=False, **given)


def output(*command, **more):
    done = run(*command, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def compose(*files, **environment):
    """The model that Docker Compose makes of files in docker/."""
    options = [word for file in files for word in ("-f", DOCKER / f"compose.{file}.yaml")]
    command = (program("docker-compose"), *options, "config", "--format", "json")
    return json.loads(output(*command, env={"PATH": os.environ["PATH"], **environment}))


def documents(text):
    return [document for document in yaml.safe_load_all(text) if document]


def kustomize(folder):
    """The objects that `kubectl kustomize` makes of a folder in docker/k8s."""
    return documents(output(program("kubectl"), "kustomize", DOCKER / "k8s" / folder))


def helm_template(*options):
    """The objects that Helm makes of the chart."""
    return documents(output(*helm_command(*options)))


def helm_command(*options):
    return (program("helm"), "template", "test", DOCKER / "k8s/helm/runbook", *options)
