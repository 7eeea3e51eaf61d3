# The base image: the engine, the web app, the bundled toolkits and what runbooks need to run.
#
#   docker build -t runbook .
#
# BASE_IMAGE: a Debian with python3 (3.11 or newer), its venv module and apt-get.
# EXTRAS: optional parts of the engine, as in pyproject.toml. VERSION, REVISION and BUILT_AT: labels.
# It builds with BuildKit and with the classic builder. See docs/images.md.
ARG BASE_IMAGE=python:3.12-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1 PIP_NO_CACHE_DIR=1
# The web app first: only changes of its sources build it again.
COPY Makefile ./
COPY scripts scripts
COPY src/web src/web
RUN apt-get update -qq && apt-get install -qq --yes --no-install-recommends binutils >/dev/null && \
    scripts/setup.sh --web
# Every package is one of the lock file, with its hash.
COPY Pipfile.lock ./
COPY docker/image docker/image
RUN .tools/bin/python docker/image/locked.py Pipfile.lock >locked.txt && \
    .tools/bin/python -m pip download --no-deps --only-binary :all: --require-hashes -r locked.txt -d wheels && \
    .tools/bin/python -m venv .wheel && \
    .wheel/bin/python -m pip install --only-binary :all: --require-hashes -r docker/image/build.txt && \
    python3 -m venv --without-pip /opt/runbook
COPY LICENSE README.md pyproject.toml ./
COPY runbooks runbooks
COPY src/runbook src/runbook
ARG EXTRAS=netbox,postgres,proxmox,routeros,ssh
RUN .wheel/bin/python -m pip wheel --no-deps --no-build-isolation -w . . && \
    .tools/bin/python -m pip --python /opt/runbook/bin/python install --no-compile --no-index --find-links wheels \
        "$(ls "$PWD"/runbook_engine-*.whl)[${EXTRAS}]" && \
    DATA_DIR=/build/empty /opt/runbook/bin/runbook db migrate && \
    DATA_DIR=/build/empty /opt/runbook/bin/runbook db backup empty.db && \
    install -m 644 empty.db /opt/runbook/lib/python3*/site-packages/runbook/store/migrations/ && \
    sh docker/image/trim.sh /opt/runbook && \
    mkdir /opt/runbook/share && \
    cp docker/image/healthcheck.py docker/image/sbom.py /opt/runbook/share/ && \
    python3 docker/image/sbom.py npm src/web/package-lock.json >/opt/runbook/share/web.components.json && \
    install -m 755 docker/image/entrypoint.sh /opt/runbook/bin/runbook-entrypoint && \
    install -m 755 docker/image/gunicorn.sh /opt/runbook/bin/gunicorn

FROM ${BASE_IMAGE}
# Images of Python come without its bytecode, and the engine's user can't write it.
RUN apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
        bubblewrap ca-certificates curl git tini zsh >/dev/null && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/ldconfig/aux-cache /var/log/apt /var/log/dpkg.log && \
    python3 -m compileall -q -x '/(test|tests|idlelib|tkinter|turtledemo|lib2to3|ensurepip|(site|dist)-packages)/' \
        "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" && \
    groupadd --gid 10001 runbook && \
    useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin runbook && \
    install -d -o runbook -g runbook -m 700 /data && \
    mkdir -p /runbooks /opt/stage0 && \
    ln -s /runbooks /opt/stage0/runbooks
COPY --from=build /opt/runbook /opt/runbook
ARG BUILT_AT=
RUN BUILT_AT="${BUILT_AT}" /opt/runbook/bin/python /opt/runbook/share/sbom.py
ARG BASE_IMAGE
ARG VERSION=0.1.0
ARG REVISION=
ENV PATH=/opt/runbook/bin:$PATH LANG=C.UTF-8 BUILT_AT=${BUILT_AT}
LABEL org.opencontainers.image.title="runbook" \
      org.opencontainers.image.description="Run, audit and undo operations that are written as Markdown runbooks." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${BUILT_AT}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"
WORKDIR /runbooks
USER 10001:10001
EXPOSE 8083
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/opt/runbook/bin/python", "-I", "-S", "/opt/runbook/share/healthcheck.py"]
ENTRYPOINT ["tini", "-s", "--", "runbook-entrypoint"]
CMD ["runbook", "serve"]
