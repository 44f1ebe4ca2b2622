#!/bin/bash
# podman.sh up|down [DIRECTORY]: a separate Podman (Debian's package) with Docker's API. Needs root, no systemd.
#
# All its files are in DIRECTORY (default /tmp/dockerlab-podman). It has its own mount, network and pid namespaces, so a
# Podman that is already on the machine is neither used nor disturbed, and the kernel ends all its processes together with
# the first one. Nothing is pulled: `busybox:latest` is loaded from the machine's static busybox. `up` prints
# DOCKER_HOST=unix:///… as its last line, and `down` removes everything.
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/common.sh"
verb=${1:-} base=$(realpath -m "${2:-/tmp/dockerlab-podman}")
socket=$base/docker.sock
# Paths that all Podmans share: locks and networks, shared memory, cache. Here each is a new empty directory.
OWN_PLACES="/run /dev/shm /var/lib/containers"

die() { echo "podman: $*" >&2; exit 1; }
api() { curl -sS --fail-with-body --max-time 60 --unix-socket "$socket" "$@"; }
answers() { [ -S "$socket" ] && api -o /dev/null --max-time 5 http://engine/_ping 2>/dev/null; }
running() { [ -e "$base/pid" ] && grep -qsaF -- "$base" "/proc/$(cat "$base/pid")/cmdline"; }
hard_limit() { ulimit -H "$1" | sed 's/unlimited/1048576/'; }

settings() { # Podman's three configuration files, so that the machine's are not used
  local driver=overlay
  [ "$(stat -f -c %T "$base")" != overlayfs ] || driver=vfs # an overlay cannot be on top of another one
  printf '[storage]\ndriver = "%s"\ngraphroot = "%s/storage"\nrunroot = "%s/run/storage"\n' $driver "$base" "$base" \
    >"$base/storage.conf"
  echo 'short-name-mode = "permissive"' >"$base/registries.conf"
  # runc, because crun refuses a machine with both versions of cgroups. cgroupfs and log files, because there is no
  # systemd. Limits that root may set without CAP_SYS_RESOURCE. No proxy variables in containers, as in Docker.
  cat >"$base/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=$(hard_limit -n):$(hard_limit -n)", "nproc=$(hard_limit -u):$(hard_limit -u)"]
http_proxy = false
init_path = "$(command -v catatonit)"
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
image_copy_tmp_dir = "$base/tmp"
runtime = "runc"
static_dir = "$base/libpod"
tmp_dir = "$base/run/libpod"
volume_path = "$base/volumes"
[network]
network_backend = "netavark"
network_config_dir = "$base/networks"
CONF
}

serve() { # runs it in the background, with its log in DIRECTORY
  # The lessons need only the loopback device, to which Podman adds its bridges. catatonit is the first process of the
  # namespace, and reaps the processes that Podman's monitors leave.
  local inside="ip link set lo up && for place in $OWN_PLACES; do mount -t tmpfs -o mode=755 own \$place; done && exec \"\$@\""
  env --default-signal=INT,QUIT -u CONTAINER_HOST -u CONTAINER_CONNECTION -u XDG_RUNTIME_DIR TMPDIR="$base/tmp" \
    CONTAINERS_CONF="$base/containers.conf" CONTAINERS_STORAGE_CONF="$base/storage.conf" \
    CONTAINERS_REGISTRIES_CONF="$base/registries.conf" \
    setsid unshare --mount --net --pid --fork --kill-child --mount-proc --propagation slave sh -c "$inside" sh \
    catatonit -- podman --root "$base/storage" --runroot "$base/run/storage" system service --time 0 "unix://$socket" \
    >>"$base/log" 2>&1 </dev/null &
  echo $! >"$base/pid" # env, setsid and unshare exec each other, so the pid stays the same
}

import_image() {
  api -o /dev/null http://engine/images/busybox:latest/json 2>/dev/null && return
  local query='fromSrc=-&repo=localhost/busybox&tag=latest&changes=CMD%20%5B%22sh%22%5D'
  query+='&changes=ENV%20PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  busybox_root "$base" | api -X POST -H 'Content-Type: application/x-tar' -T - "http://engine/images/create?$query" >>"$base/log"
  api -o /dev/null http://engine/images/busybox:latest/json
}

up() {
  local program
  for program in podman runc conmon /usr/lib/podman/netavark /usr/lib/podman/aardvark-dns catatonit iptables \
    busybox curl ip unshare; do
    command -v $program >/dev/null || die "$program is not installed"
  done
  [ ${#socket} -le 107 ] || die "$socket: a socket's path has at most 107 bytes"
  for program in $OWN_PLACES; do case $base/ in "$program"/*) die "not below $program" ;; esac; done
  mkdir -p "$base"/{run,tmp} /var/lib/containers
  if ! { running && answers; }; then
    settings
    serve
    wait_until_it_answers
  fi
  import_image || die "busybox was not imported"
  echo "DOCKER_HOST=unix://$socket"
}

ids() { api 'http://engine/containers/json?all=1' | grep -o '"Id":"[0-9a-f]\{64\}"' | cut -d'"' -f4; }

down() {
  local id pid
  if running; then
    # Containers are removed one by one, because their cgroups would remain. They are killed first, because otherwise each
    # one has 10 s to end by itself.
    for id in $(ids || true); do
      api -o /dev/null -X POST "http://engine/containers/$id/kill" 2>/dev/null || true
      api -o /dev/null -X DELETE "http://engine/containers/$id?force=1&v=1" || true
    done
    pid=$(cat "$base/pid")
    pkill -TERM -P "$pid" || true # unshare itself waits for its child and ignores signals
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    ! kill -0 "$pid" 2>/dev/null || kill -KILL "$pid"
  fi
  for _ in $(seq 50); do rm -rf "$base" 2>/dev/null && break; sleep 0.1; done # the kernel may still be ending processes that use it
  [ ! -e "$base" ] || die "$base could not be removed"
}

[ "$(id -u)" = 0 ] || die "needs root"
case $verb in up | down) "$verb" ;; *) sed -n '2p' "$0" >&2; exit 2 ;; esac
