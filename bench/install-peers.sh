#!/bin/sh
# Makes available what `npm run bench` measures and measures with: from Debian, and only what is missing.
set -eu

packages=
needs() { # command or file, package
  case $1 in
    /*) [ -e "$1" ] || packages="$packages $2" ;;
    *) command -v "$1" >/dev/null 2>&1 || packages="$packages $2" ;;
  esac
}
needs nginx nginx
needs /usr/share/nginx/modules-available/mod-http-lua.conf libnginx-mod-http-lua
needs /usr/share/lua/5.1/resty/lrucache.lua lua-resty-lrucache
needs /usr/share/lua/5.1/nginx/redis.lua lua-nginx-redis
needs /usr/share/lua/5.1/cjson/util.lua lua-cjson
needs haproxy haproxy
needs h2load nghttp2-client
needs redis-server redis-server
needs taskset util-linux
[ -n "$packages" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
  echo "The benchmark needs these packages of Debian 12, which only root can install:$packages" >&2
  exit 1
fi

# Packages of servers start them when they are installed; policy-rc.d says no to that, here only as long as it takes.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >/dev/null
# shellcheck disable=SC2086
apt-get install -qq -y --no-install-recommends $packages >/dev/null
