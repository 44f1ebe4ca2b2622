"""The programs of the story: shell scripts that travel in an environment variable.

A container's command is then `sh -c 'eval "$PROGRAM"'`, which is what the process list shows, and the script
itself is one variable in inspect. They use relative paths and the loopback address only, so that they run in
Docker, in every rung of the practice engine, and in any image with sh, httpd, wget and sleep.
"""

from __future__ import annotations

from typing import Any

IMAGE = "busybox"
COMMAND = ["sh", "-c", 'eval "$PROGRAM"']

#: The web service. Its first page visits are its own; `EVERY=1` makes it go on visiting, once a second.
#: `wait` returns when a trapped signal comes, so a nap is waited for again until it is over.
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

#: Hears TERM and stays; leaves for INT. So `stop` has to wait and to send KILL, unless told another signal.
STUBBORN = """\
trap 'echo "stubborn: I heard TERM, and I stay"' TERM
trap 'echo "stubborn: I heard INT, and I leave"; exit 0' INT
echo "stubborn: ready"
while :; do
  sleep 3600 &
  while kill -0 $! 2>/dev/null; do wait $!; done
done
"""

#: Counts its own starts in a file: what a container wrote is still there when it starts again.
COUNTER = """\
trap 'exit 0' TERM
echo started >> starts
echo "counter: start number $(grep -c started starts)"
while :; do
  sleep 3600 &
  wait $!
done
"""

#: The line that each program prints when it has nothing more to set up.
READY = {WEB: "web: ready", STUBBORN: "stubborn: ready", COUNTER: "counter: start number"}


def settings(program: str, place: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    """Give the arguments of ContainerCreate for a program that works in the directory /srv/PLACE."""
    variables = {**(env or {}), "PROGRAM": program}
    return {
        "image": IMAGE,
        "cmd": COMMAND,
        "working_dir": f"/srv/{place}",
        "env": [f"{name}={value}" for name, value in variables.items()],
    }
