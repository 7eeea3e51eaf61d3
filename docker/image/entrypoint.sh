#!/bin/sh
# What `docker run IMAGE ARGUMENTS` does:
#
#   runbook COMMAND …, or a shell, python or a path   that program
#   COMMAND …                                         runbook COMMAND …
#   --OPTION …                                        the image's own job with these options, if it has one
case ${1:-serve} in
    runbook | gunicorn | sh | bash | zsh | python | python3 | */*) exec "$@" ;;
    -*) [ -z "${JOB_RUNBOOK:-}" ] || exec runbook execute --runbook "$JOB_RUNBOOK" "$@" ;;
    *) [ "$#" -gt 0 ] || set -- serve ;;
esac
exec runbook "$@"
