#!/bin/sh
# Makes .venv: the package (editable), and with `setup.sh dev` what the tests need as well. Needs
# Python >= 3.11 and a way to make a virtual environment; the system's own packages stay as they are.
# Returns at once when done already.
set -eu
cd "$(dirname "$0")/.."

candidates=${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}
packages="pyproject.toml tools/constraints.txt"
stamp=.venv/stamp
extras=${1:-}

fail() {
    echo "setup: $*" >&2
    exit 1
}

works() {
    .venv/bin/python -m pip --version >/dev/null 2>&1
}

# What .venv was made from: the place (scripts hold absolute paths), the packages and the Python.
fingerprint() {
    pwd
    echo "extras: $1"
    cksum $packages tools/setup.sh
    .venv/bin/python -c 'import sys; print(sys.version)' 2>/dev/null || echo "no Python"
}

# Each way leaves a .venv with pip in it, or nothing. Debian's python3 without python3-venv fails the
# first; --target installs beside the system's packages, which is allowed where those are managed.
make_venv() {
    for python in $suitable; do
        rm -rf .venv
        "$python" -m venv .venv >/dev/null 2>&1 && works && return
    done
    python=${suitable%% *}
    rm -rf .venv
    uv venv --quiet --seed --python "$python" .venv >/dev/null 2>&1 && works && return
    rm -rf .venv
    virtualenv --quiet --python "$python" .venv >/dev/null 2>&1 && works && return
    rm -rf .venv
    "$python" -m pip --version >/dev/null 2>&1 &&
        "$python" -m pip install --quiet --quiet --disable-pip-version-check \
            --target .venv/bootstrap virtualenv &&
        PYTHONPATH=.venv/bootstrap "$python" -m virtualenv --quiet .venv && works && return
    rm -rf .venv
    return 1
}

# Two commands started at once must not build into one folder.
if command -v flock >/dev/null 2>&1; then
    exec 9>.venv.lock
    flock 9
fi

# The stamp is written last and removed first: a half-made .venv has none and is made anew.
reuse=no
if [ -f "$stamp" ]; then
    made=$(cat "$stamp")
    [ "$made" != "$(fingerprint "$extras")" ] || exit 0
    # What has the tools of the tests serves without them too, and keeps them.
    if [ "$made" = "$(fingerprint dev)" ]; then exit 0; fi
    case $made in *"extras: dev"*) extras=dev ;; esac
    [ "$(head -n 1 "$stamp")" != "$(pwd)" ] || ! works || reuse=yes
    rm -f "$stamp"
fi

if [ "$reuse" = no ]; then
    echo "setup: making .venv (some minutes the first time)" >&2
    # A name on the PATH may be too old, or a launcher that cannot start: ask each by running it.
    suitable=
    for python in $candidates; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            suitable="${suitable:+$suitable }$python"
        fi
    done
    [ -n "$suitable" ] ||
        fail "none of '$candidates' is Python 3.11 or newer: install one, or name one" \
            "(make PYTHON=/path/to/python)"
    make_venv ||
        fail "'${suitable%% *}' cannot make a virtual environment: install its venv module" \
            "(Debian, Ubuntu: apt install python3-venv) and repeat"
fi
.venv/bin/python -m pip install --quiet --quiet --disable-pip-version-check \
    --constraint tools/constraints.txt --editable ".${extras:+[$extras]}" ||
    fail "the packages could not be installed (see above); repeat to try again"
rm -rf .venv/bootstrap
fingerprint "$extras" >"$stamp"
