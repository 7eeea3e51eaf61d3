# What the commands of docs/sre.md do with systemd, on a host without it. Sourced before them.
# shellcheck shell=bash

await() { until "$@" >/dev/null 2>&1; do sleep 0.2; done; }

# In the background, so that the process ID is that of the command.
as_runbook() { exec setpriv --reuid=runbook --regid=runbook --init-groups env "$@"; }

start_service() {
    # shellcheck disable=SC2046 # one word per variable, as systemd reads them
    as_runbook $(cat /etc/runbook/runbook.env) HOME=/var/lib/runbook /usr/local/bin/runbook serve 2>>/var/log/runbook.log &
    service=$!
    await_ready http://127.0.0.1:9083 "$service"
}

# If the server ends instead, say why.
await_ready() {
    until curl -sf "$1/readyz" >/dev/null; do
        kill -0 "$2" 2>/dev/null || { tail -n 5 /var/log/runbook.log >&2; return 1; }
        sleep 0.2
    done
}

stop_service() {
    kill -TERM "$service"
    wait "$service"
}

start_postgres() {
    local programs
    programs=$(echo /usr/lib/postgresql/*/bin)
    install -d -o postgres -g postgres /run/postgresql /var/lib/postgresql/guide
    cd /
    sudo -u postgres "${programs##* }/initdb" -D /var/lib/postgresql/guide --auth=trust -E UTF8 >/dev/null
    sudo -u postgres "${programs##* }/pg_ctl" -w -D /var/lib/postgresql/guide -l /run/postgresql/log \
        -o "-c listen_addresses=127.0.0.1 -c unix_socket_directories=/run/postgresql" start >/dev/null
    cd /srv/checkout
}

start_prometheus() {
    prometheus --config.file=/etc/prometheus/prometheus.yml --storage.tsdb.path=/var/lib/prometheus \
        --web.listen-address=127.0.0.1:9090 2>/var/log/prometheus.log &
    await has_scraped
}

has_scraped() {
    curl -sf 'http://127.0.0.1:9090/api/v1/query?query=runbook_store_up' | grep -q '"1"'
}

start_dev_server() {
    stop_service
    install -d -o runbook /srv/stage0 /var/lib/runbook-dev
    install -o runbook samples/runbooks/SimpleRunbook.md /srv/stage0/
    as_runbook HOME=/tmp ENABLE_LOGIN=true RUNBOOKS_DIR=/srv/stage0 DATA_DIR=/var/lib/runbook-dev \
        /usr/local/bin/runbook serve 2>>/var/log/runbook.log &
    await_ready http://127.0.0.1:8083 $!
}
