#!/usr/bin/env bash
# Runs the pipenv in .tools on this checkout's .venv, regardless of the caller's environment.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset PIPENV_ACTIVE VIRTUAL_ENV
export PIPENV_PIPFILE=$PWD/Pipfile
export PIPENV_VENV_IN_PROJECT=1 PIPENV_IGNORE_VIRTUALENVS=1 PIPENV_DONT_LOAD_ENV=1
export PIPENV_NOSPIN=1 PIPENV_HIDE_EMOJIS=1 PIPENV_YES=1 PIPENV_VERBOSITY=-1
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
exec .tools/bin/python -m pipenv "$@"
