"""The programs of the story: shell scripts that are passed in an environment variable.

The container's command is then `sh -c 'eval "$PROGRAM"'`. The process list shows this short command, and inspect
shows the script as one variable. The scripts use only relative paths and the loopback address, so that they run in
Docker, on every rung of the practice engine, and in any image with sh, httpd, wget and sleep.
"""

from __future__ import annotations

from typing import Any

IMAGE = "busybox"
COMMAND = ["sh", "-c", 'eval "$PROGRAM"']

#: The web service. It visits its own page three times; with `EVERY=1` it keeps visiting, once per second.
#: `wait` also returns when a trapped signal arrives, so the script calls it until `sleep` has really ended.
WEB = """\
trap 'echo "web: goodbye"; exit 0' TERM
trap 'echo "web: reloading"' HUP
echo "web: starting"
mkdir -p www
echo "Hello from web" > www/index.html
port=18080
while :; do
  httpd -f -p 127.0.0.1:$port -h www 2>/dev/null &
  sleep 0.2
  kill -0 $! 2>/dev/null && break
  port=$((port + 1))
done
visits=0
visit() {
  until page=$(wget -q -O - http://127.0.0.1:$port/ 2>/dev/null); do sleep 0.1; done
  visits=$((visits + 1))
  echo "web: visit $visits: $page"
}
visit
visit
sleep 0.2
echo "web: warning: there is no favicon.ico" >&2
sleep 0.2
visit
sleep ${EVERY:-3600} &
sleep 0.3
echo "web: ready"
while :; do
  while kill -0 $! 2>/dev/null; do wait $!; done
  visit
  sleep ${EVERY:-3600} &
done
"""

#: Ignores TERM and ends on INT, so `stop` has to wait and then send KILL, unless it sends another signal.
STUBBORN = """\
trap 'echo "stubborn: I heard TERM, and I stay"' TERM
trap 'echo "stubborn: I heard INT, and I leave"; exit 0' INT
echo "stubborn: ready"
while :; do
  sleep 3600 &
  while kill -0 $! 2>/dev/null; do wait $!; done
done
"""

#: Counts its starts in a file, which shows that a container's files survive a restart.
COUNTER = """\
trap 'exit 0' TERM
echo started >> starts
echo "counter: start number $(grep -c started starts)"
while :; do
  sleep 3600 &
  wait $!
done
"""

#: The line that each program prints when it is ready.
READY = {WEB: "web: ready", STUBBORN: "stubborn: ready", COUNTER: "counter: start number"}


def settings(program: str, place: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the arguments of ContainerCreate for a program whose working directory is /srv/PLACE."""
    variables = {**(env or {}), "PROGRAM": program}
    return {
        "image": IMAGE,
        "cmd": COMMAND,
        "working_dir": f"/srv/{place}",
        "env": [f"{name}={value}" for name, value in variables.items()],
    }
