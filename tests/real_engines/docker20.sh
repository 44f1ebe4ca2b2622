#!/bin/bash
# docker20.sh up|restart|down [DIRECTORY], link DIRECTORY DIRECTORY: a separate Docker 20.10 (Debian's docker.io).
#
# All its files are in DIRECTORY (default /tmp/dockerlab-docker20), and it has its own mount and network namespaces, so a
# Docker that already runs on the machine is neither used nor disturbed. Nothing is pulled: `busybox:latest` is imported
# from the machine's static busybox. `up` prints DOCKER_HOST=unix:///… as its last line, `down` removes everything,
# `restart` stops and starts dockerd with its existing state, and `link` connects the networks of two such engines by a
# veth pair. All need root.
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/common.sh"
verb=${1:-} base=${2:-/tmp/dockerlab-docker20}
socket=$base/docker.sock

die() { echo "docker20: $*" >&2; exit 1; }
api() { curl -sS --fail-with-body --max-time 60 --unix-socket "$socket" "$@"; }
answers() { [ -S "$socket" ] && api -o /dev/null http://engine/_ping 2>/dev/null; }
running() { [ -e "$base/pid" ] && grep -qsaF -- "$base" "/proc/$(cat "$base/pid")/cmdline"; }

import_image() {
  api -o /dev/null http://engine/images/busybox:latest/json 2>/dev/null && return
  local query='fromSrc=-&repo=busybox&tag=latest&changes=CMD%20%5B%22sh%22%5D'
  query+='&changes=ENV%20PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  busybox_root "$base" | api -X POST -H 'Content-Type: application/x-tar' -T - "http://engine/images/create?$query" | grep -q sha256:
}

start() { # start [NETWORK]: dockerd, in a new network namespace or in that one
  local spaces=(unshare --mount --net --propagation slave)
  [ -z "${1:-}" ] || spaces=(nsenter --net="$1" unshare --mount --propagation slave)
  echo '{}' >"$base/daemon.json" # so that the machine's daemon.json is not used
  # The lessons need only the loopback device, to which dockerd adds its bridge.
  setsid "${spaces[@]}" sh -c 'ip link set lo up && exec "$@" 9<&-' sh \
    dockerd --config-file "$base/daemon.json" --host "unix://$socket" --data-root "$base/data" \
    --exec-root "$base/run" --pidfile "$base/dockerd.pid" --init-path "$(command -v tini-static || command -v tini)" \
    >>"$base/log" 2>&1 </dev/null &
  echo $! >"$base/pid" # setsid, nsenter, unshare and sh exec each other, so the pid stays the same
  wait_until_it_answers
}

up() {
  local program
  for program in dockerd busybox curl iptables unshare tini; do
    command -v $program >/dev/null || die "$program is not installed"
  done
  [ ${#socket} -le 107 ] || die "$socket: a socket's path has at most 107 bytes"
  mkdir -p "$base"
  if ! { running && answers; }; then start; fi
  import_image || die "busybox was not imported"
  echo "DOCKER_HOST=unix://$socket"
}

stop() {
  local pid
  pid=$(cat "$base/pid")
  kill -TERM "$pid"
  for _ in $(seq 200); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
  ! kill -0 "$pid" 2>/dev/null || kill -KILL "$pid"
}

restart() {
  running || die "no engine runs in $base"
  exec 9<"/proc/$(cat "$base/pid")/ns/net" # the open file keeps the namespace and its veth device
  stop
  start /proc/self/fd/9
}

link() { # besides 127.0.0.1 and its bridge, each engine has only the address of its end of the veth pair
  local one two
  one=$(cat "$base/pid") two=$(cat "${2:?the other DIRECTORY}/pid")
  ip link add cable netns "$one" type veth peer name cable netns "$two"
  nsenter --target "$one" --net sh -c 'ip addr add 198.19.20.1/30 dev cable && ip link set cable up'
  nsenter --target "$two" --net sh -c 'ip addr add 198.19.20.2/30 dev cable && ip link set cable up'
}

down() {
  local id
  if running; then
    for id in $(api 'http://engine/containers/json' | grep -o '"Id":"[0-9a-f]\{64\}"' | cut -d'"' -f4); do
      api -o /dev/null -X POST "http://engine/containers/$id/kill" || true # because many main processes ignore TERM
    done
    stop
  fi
  awk -v base="$base/" 'index($2, base) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mounted; do umount -l "$mounted" || true; done
  rm -rf "$base"
}

[ "$(id -u)" = 0 ] || die "needs root"
case $verb in up | restart | down) "$verb" ;; link) link "$base" "${3:-}" ;; *) sed -n '2p' "$0" >&2; exit 2 ;; esac
