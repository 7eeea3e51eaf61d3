#!/usr/bin/env bash
# Serves a copy of the samples, to keep their history entries out of version control, and the bundled
# toolkits that need nothing.
# You can set any variable of docs/configuration.md: make start API_PORT=9000
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# copy_missing FROM TO: doesn't overwrite existing files, which contain history.
copy_missing() {
    local file
    while IFS= read -r -d '' file; do
        if [ ! -e "$2/$file" ]; then
            mkdir -p "$2/$(dirname "$file")"
            cp "$1/$file" "$2/$file"
        fi
    done < <(cd "$1" && find . -type f -print0)
}

if [ -z "${RUNBOOKS_DIR:-}" ]; then
    export RUNBOOKS_DIR=$PWD/.serve/runbooks
    mkdir -p "$RUNBOOKS_DIR"
    copy_missing samples/runbooks "$RUNBOOKS_DIR"
fi
export DATA_DIR=${DATA_DIR:-$PWD/.data}
export ENABLE_LOGIN=${ENABLE_LOGIN:-true}
.venv/bin/runbook toolkit defaults || true
printf 'Serving the runbooks in %s on http://localhost:%s. Press Ctrl-C to stop.\n' \
    "$RUNBOOKS_DIR" "${API_PORT:-8083}"
exec .venv/bin/runbook serve
