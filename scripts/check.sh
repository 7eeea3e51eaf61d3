#!/usr/bin/env bash
# Checks format, lint, types and layers. Runs all checks even if one fails.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH
export RUFF_CACHE_DIR=.cache/ruff MYPY_CACHE_DIR=.cache/mypy
status=0

check() {
    printf '== %s\n' "$1"
    shift
    "$@" || status=1
}

check "ruff format" .venv/bin/ruff format --check .
check "ruff check" .venv/bin/ruff check .
check "mypy" .venv/bin/mypy
check "lint-imports" .venv/bin/lint-imports --config .importlinter --cache-dir .cache/import_linter
check "web: eslint" scripts/web.sh run --silent lint
# The API's types are generated from the current OpenAPI document.
check "web: types" scripts/web.sh run --silent types
exit "$status"
