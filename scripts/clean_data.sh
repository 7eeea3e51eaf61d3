#!/usr/bin/env bash
# Removes the local server's data and runbooks after confirmation. YES=1 confirms.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ "${YES:-}" != 1 ]; then
    printf 'Remove .data (runs, keys) and .serve (runbooks with their history)? Type yes to confirm: '
    read -r answer || answer=
    if [ "$answer" != yes ]; then
        printf '\nNothing was removed.\n'
        exit 1
    fi
fi
rm -rf .data .serve
