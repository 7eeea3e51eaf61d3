"""A real Docker Engine for tests, from Debian's packages, in namespaces of its own.

    from docker_engine.engine import running

    with running() as engine:
        engine.busybox("app:1")
        engine.docker("run", "--rm", "app:1", "true")

It needs root, a kernel with namespaces and cgroups, Debian's package lists and PyPI. Its network,
mounts and processes are in namespaces that end with it, so a Docker Engine of the machine isn't
touched. What it has outside of them is removed at the end: a folder, a network link and cgroups.
"""
