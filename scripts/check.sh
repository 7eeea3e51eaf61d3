#!/usr/bin/env bash
# Format, lint, types and layers. Every check runs, so that one pass shows everything.
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
# The types of the API come from its own document, as it is now.
check "web: types" scripts/web.sh run --silent types
exit "$status"
