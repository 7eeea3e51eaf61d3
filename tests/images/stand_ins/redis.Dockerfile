# Stands for the official image of Redis where no registry can be reached.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends redis-server >/dev/null
CMD ["redis-server"]
