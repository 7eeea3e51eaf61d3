#!/usr/bin/env bash
# Runs all tests, including the web app's. Leaves no process, file or port behind.
# Arguments are passed to pytest. CORE_COVERAGE is the minimum percentage for runbook/core, branches
# included (default 100).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH
# Without bytecode, each process of pytest would compile all tests anew.
unset PYTHONDONTWRITEBYTECODE

# Short, because socket paths have at most 107 characters, and unique, because it identifies the
# processes that the tests start, which inherit it.
scratch=$(mktemp -d /tmp/rbtest.XXXXXX)
# Tests that drop root privileges need to pass through it.
chmod 711 "$scratch"

# Other processes with the scratch folder in their environment.
survivors() {
    grep -lsz -F -- "$scratch" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}

# shellcheck disable=SC2046 # one word per process
clean_up() {
    kill -KILL $(survivors) 2>/dev/null
    rm -rf "$scratch"
}
trap clean_up EXIT

# Background jobs ignore SIGINT and SIGQUIT, nohup SIGHUP. Tested programs must not inherit that.
run_in_scratch() {
    env --default-signal=HUP,INT,QUIT TMPDIR="$scratch" COVERAGE_FILE="$scratch/coverage" \
        HYPOTHESIS_STORAGE_DIRECTORY="$PWD/.cache/hypothesis" "$@"
}

# run_tests PER_CORE ARGUMENT...: with so many workers per core, as many tests wait for processes.
# Neighboring tests run in the same worker, so that fewer servers are started.
run_tests() {
    local workers=$(($(nproc) * $1))
    shift
    run_in_scratch .venv/bin/python -m pytest -n "$workers" --dist worksteal -o cache_dir=.cache/pytest "$@"
}

if [ "$#" -gt 0 ]; then
    run_tests 3 "$@"
    status=$?
else
    # Compile the other tests while those of the core run, so that the workers only load them.
    run_in_scratch .venv/bin/python -m pytest --collect-only --quiet -p no:cacheprovider \
        --ignore=tests/unit/core >/dev/null &
    compiling=$!
    # Measuring coverage takes half of the time of what is measured, so only the tests of the core do.
    run_tests 2 --cov=runbook.core --cov-branch --cov-report=term:skip-covered \
        --cov-fail-under="${CORE_COVERAGE:-100}" tests/unit/core
    status=$?
    # Its exit code doesn't matter: the next run reports tests that can't be collected.
    wait "$compiling"
    run_tests 3 --ignore=tests/unit/core || status=1
    run_in_scratch scripts/web.sh run --silent test || status=1
fi

left=$(survivors)
if [ -n "$left" ]; then
    printf 'The tests left processes behind:\n' >&2
    # shellcheck disable=SC2086 # one word per process
    ps -o pid,args -p "$(printf '%s' "$left" | tr '\n' ',')" >&2
    status=1
fi
exit "$status"
