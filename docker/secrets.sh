#!/usr/bin/env bash
# Creates the secrets that are missing in docker/secrets, or in SECRETS_FOLDER, for the compose files. It never changes one that
# exists.
#
#   docker/secrets.sh [HOST]   HOST is the name in the self-signed certificate, by default localhost
#
# Replace tls.crt and tls.key with those of your certificate authority.
# The folder is closed to other users of this machine. The files in it are readable, because the containers, which don't run as
# you, see only the files.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
host=${1:-localhost}
case $host in
*[!A-Za-z0-9.-]* | "") printf 'secrets: %s is not a host name.\n' "$host" >&2 && exit 2 ;;
esac
command -v openssl >/dev/null || { printf 'secrets: openssl is missing. Install it.\n' >&2 && exit 1; }
umask 077
folder=${SECRETS_FOLDER:-$PWD/secrets}
mkdir -p "$folder"
cd "$folder"

# write NAME VALUE
write() {
    [ -s "$1" ] && return
    printf '%s\n' "$2" >".$1" && chmod 444 ".$1" && mv ".$1" "$1"
    printf 'secrets: created %s\n' "$folder/$1"
}

write jwt_secret "$(openssl rand -hex 32)"
write postgres_password "$(openssl rand -hex 32)"
write database_url "postgresql+psycopg://runbook:$(cat postgres_password)@postgres/runbook"
write redis_password "$(openssl rand -hex 32)"
write redis_url "redis://:$(cat redis_password)@redis:6379/0"
if [ ! -s tls.key ] || [ ! -s tls.crt ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj "/CN=$host" \
        -addext "subjectAltName=DNS:$host" -keyout .tls.key -out .tls.crt 2>/dev/null
    chmod 444 .tls.key .tls.crt
    mv .tls.key tls.key
    mv .tls.crt tls.crt
    printf 'secrets: created a self-signed certificate for %s: %s\n' "$host" "$folder/tls.crt"
fi
