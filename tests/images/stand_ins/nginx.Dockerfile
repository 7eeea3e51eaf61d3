# Stands for the official image of nginx where no registry can be reached.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends nginx-light >/dev/null
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
