#!/bin/sh
# Makes a real redis-server available to the tests: from Debian, unless one is on the PATH already.
set -eu

if command -v redis-server >/dev/null 2>&1; then
  exit 0
fi

if ! command -v apt-get >/dev/null 2>&1; then
  echo "The tests need redis-server (7 or newer) on the PATH, and this system has no apt-get: install it by hand." >&2
  exit 1
fi

if [ "$(id -u)" -ne 0 ]; then
  echo "The tests need redis-server on the PATH. Install it as root: apt-get install redis-server" >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
# RUNLEVEL=1 keeps the package from starting a server of its own: the tests start theirs.
export RUNLEVEL=1
apt-get update -qq >/dev/null
apt-get install -qq -y --no-install-recommends redis-server >/dev/null

command -v redis-server >/dev/null 2>&1 || {
  echo "Debian's redis-server package was installed, but redis-server is still not on the PATH." >&2
  exit 1
}
