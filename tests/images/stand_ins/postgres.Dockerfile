# Stands for the official image of PostgreSQL where no registry can be reached: with its user, folder and variables.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN groupadd --gid 999 postgres && \
    useradd --uid 999 --gid 999 --home-dir /var/lib/postgresql --shell /bin/bash postgres && \
    mkdir -p /etc/postgresql-common && \
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf && \
    apt-get update -qq && apt-get install -qq -y --no-install-recommends postgresql >/dev/null && \
    ln -s /usr/lib/postgresql/*/bin /opt/postgresql && \
    chmod 3777 /run/postgresql && \
    install -d -o postgres -g postgres -m 700 /var/lib/postgresql/data
COPY postgres.sh /usr/local/bin/docker-entrypoint.sh
ENV PATH=/opt/postgresql:$PATH PGDATA=/var/lib/postgresql/data
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["sh", "/usr/local/bin/docker-entrypoint.sh"]
CMD ["postgres"]
