#!/bin/sh
# Answers the command line of Stage0's images.
echo "gunicorn doesn't serve runbooks any more. Use: runbook serve (settings: API_PORT, WEB_PROCESSES; see docs/images.md)" >&2
exit 2
