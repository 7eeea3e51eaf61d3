#!/usr/bin/env bash
# Runs the tests with branch coverage, and those of the web app; leaves no process, file or port behind.
# Arguments go to pytest. CORE_COVERAGE is the least percentage for runbook/core (default 0).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH

# The path is short because sockets in it may have 107 characters, and unique because it marks
# whatever the tests start: children inherit it.
scratch=$(mktemp -d /tmp/rbtest.XXXXXX)
# Tests that give up root's rights pass through it.
chmod 711 "$scratch"

# Processes, other than this one, whose environment names the scratch folder.
survivors() {
    grep -lsz -F -- "$scratch" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}

# shellcheck disable=SC2046 # one word per process
clean_up() {
    kill -KILL $(survivors) 2>/dev/null
    rm -rf "$scratch"
}
trap clean_up EXIT

# A job in the background is told to ignore SIGINT; the scripts that are tested are not.
run_in_scratch() {
    env --default-signal=INT TMPDIR="$scratch" COVERAGE_FILE="$scratch/coverage" \
        HYPOTHESIS_STORAGE_DIRECTORY="$PWD/.cache/hypothesis" "$@"
}

# One more than there are cores: many tests wait for processes, and leave a core to another one.
# Tests that stand together run together, so that fewer servers are started for them.
run_in_scratch .venv/bin/python -m pytest -n "$(($(nproc) + 1))" --dist worksteal -o cache_dir=.cache/pytest \
    --cov=runbook --cov-branch --cov-report=term:skip-covered "$@"
status=$?

core() { run_in_scratch .venv/bin/python -m coverage report --include='*/runbook/core/*' "$@"; }
if [ "$status" -eq 0 ] && [ "$#" -eq 0 ]; then
    printf 'branch coverage of runbook/core: %s%%\n' "$(core --format=total)"
    core --fail-under="${CORE_COVERAGE:-0}" >/dev/null || status=$?
fi

if [ "$#" -eq 0 ]; then
    run_in_scratch scripts/web.sh run --silent test || status=1
fi

left=$(survivors)
if [ -n "$left" ]; then
    printf 'the tests left processes behind:\n' >&2
    # shellcheck disable=SC2086 # one word per process
    ps -o pid,args -p "$(printf '%s' "$left" | tr '\n' ',')" >&2
    status=1
fi
exit "$status"
