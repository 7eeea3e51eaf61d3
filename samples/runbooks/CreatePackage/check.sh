#!/bin/sh
# Every setting in service.conf must have a value.
if grep -En '^[a-z]+ = *$' service.conf; then
    echo "these settings are empty" >&2
    exit 1
fi
echo "service.conf is complete"
