#!/bin/sh
# Gets a browser for the tests that open a report in a real one; does nothing where there is one.
# Debian and Ubuntu, as root; elsewhere it says what to install. Without a browser those tests skip.
set -eu

for browser in chromium chromium-browser google-chrome google-chrome-stable; do
    ! command -v "$browser" >/dev/null 2>&1 || exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends chromium \
        >/dev/null
    exit 0
fi
echo "browser: install Chromium (Debian: apt install chromium) or Chrome, and repeat" >&2
exit 1
