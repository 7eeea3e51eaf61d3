#!/bin/sh
# trim.sh VENV: removes what the image doesn't need from a virtual environment, and compiles the rest.
set -eu
cd "$1"
# The tests, sources and debugging symbols of libraries, and the commands that come with them.
find lib -type d \( -name tests -o -name test \) -path '*/site-packages/*' -prune -exec rm -rf {} +
find lib -type f \( -name '*.c' -o -name '*.h' -o -name '*.cpp' -o -name '*.hpp' -o -name '*.pyx' -o -name '*.pxd' \
    -o -name '*.pyi' \) -delete
find lib -name '*.so' ! -path '*.libs/*' -exec strip --strip-debug {} +
find bin -type f ! -name runbook -delete
find bin -type l ! -name 'python*' -delete
# Nobody changes the sources, so they needn't be looked at to know that the bytecode is theirs.
bin/python -m compileall -q --invalidation-mode unchecked-hash lib
