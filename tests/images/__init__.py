"""Tests of the images, each built from our Dockerfiles and run on a real Docker Engine.

`make test-images` runs them: see `docker_engine`. They need root, Debian's packages, PyPI and npm.
"""
