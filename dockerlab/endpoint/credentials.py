"""Registry credentials, as `docker login` and `podman login` left them: in a file, or with a credential helper.

    >>> mine = dockerlab.endpoint.credentials.for_image("registry.example/web", engine=lab.engine)
    >>> lab.image.push("registry.example/web", registry_auth=mine)

They are read when they are asked for, and kept nowhere.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dockerlab.endpoint import docker_config
from dockerlab.errors import ArgumentError, DockerlabError, printable

__all__ = ["DOCKER_HUB", "for_image", "for_registry", "podman_files", "registry"]

#: Under which name the credentials of docker.io are kept.
DOCKER_HUB = "https://index.docker.io/v1/"
HUB_NAMES = {"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
HELPER_SECONDS = 30.0
HELPER_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
#: What a helper gives as the user's name where its secret is a token.
TOKEN = "<token>"  # noqa: S105  (a mark, and no secret)
NOTHING_THERE = "credentials not found"
FILES = "docker's config.json or Podman's auth.json"
#: Below it each user's own directory, where XDG_RUNTIME_DIR names none.
RUNTIME = Path("/run/containers")


def registry(image: str) -> str:
    """Name the registry of an image: `docker.io` for busybox and me/web, `localhost:5000` for localhost:5000/web."""
    return _parts(image)[0]


def _parts(image: str) -> tuple[str, str]:
    """Split an image's name into its registry and its path there, without tag and digest."""
    first, slash, rest = image.partition("/")
    named = slash and (re.search(r"[.:]", first) or first == "localhost" or first != first.lower())
    path = re.sub(r":[^/]*$", "", (rest if named else image).partition("@")[0])
    if named and first not in HUB_NAMES:
        return first, path
    return "docker.io", path if "/" in path else f"library/{path}"


def for_image(
    image: str, *, engine: str = "", env: Mapping[str, str] | None = None, timeout: float = HELPER_SECONDS
) -> dict[str, str]:
    """Give the credentials for an image's registry, as `registry_auth=` takes them; empty if there are none.

    With `engine=lab.engine` Podman's files are read before docker's if that is a Podman, else after it. Those of Podman
    may hold credentials for a part of a registry, such as registry.example/team: of all that fit, the longest is taken.
    Raises ArgumentError if there is no name, DockerlabError if a file or a credential helper fails.
    """
    if not isinstance(image, str) or not image.strip():
        raise ArgumentError("image is the name of an image, for example registry.example/web.")
    return _found(*_parts(image), engine, os.environ if env is None else env, timeout)


def for_registry(
    name: str, *, engine: str = "", env: Mapping[str, str] | None = None, timeout: float = HELPER_SECONDS
) -> dict[str, str]:
    """Give the credentials for a registry by its name, such as `docker.io`; empty if there are none.

    In a file a helper for this registry (credHelpers) comes first, then docker's for all (credsStore), then what is
    written there. Raises as `for_image` does.
    """
    return _found(name, "", engine, os.environ if env is None else env, timeout)


def podman_files(env: Mapping[str, str]) -> list[Path]:
    """Name the files in which Podman looks, in its order: containers-auth.json(5)."""
    if env.get("REGISTRY_AUTH_FILE"):
        return [Path(env["REGISTRY_AUTH_FILE"])]
    session, settings, home = env.get("XDG_RUNTIME_DIR"), env.get("XDG_CONFIG_HOME"), docker_config.home(env)
    runtime = Path(session) / "containers" if session else RUNTIME / str(getattr(os, "getuid", int)())  # not on Windows
    places = [runtime] if session or os.access(runtime, os.X_OK) else []  # what lies there may be root's alone
    if settings:
        places.append(Path(settings) / "containers")
    elif home:
        places.append(home / ".config" / "containers")
    return [place / "auth.json" for place in places]


def _found(name: str, path: str, engine: str, env: Mapping[str, str], timeout: float) -> dict[str, str]:
    """Look for the credentials in each file, as long as there are none."""
    podman = engine.lower().startswith("podman")
    if podman and env.get("REGISTRY_AUTH_FILE"):  # Podman 5 reads nothing else then
        return _podmans(name, path, env, timeout)
    if podman:
        return _podmans(name, path, env, timeout) or _dockers(name, env, timeout)
    return _dockers(name, env, timeout) or _podmans(name, path, env, timeout)


def _dockers(name: str, env: Mapping[str, str], timeout: float) -> dict[str, str]:
    key = DOCKER_HUB if name in HUB_NAMES or name == DOCKER_HUB else name
    settings = docker_config.settings(env)
    helper = _entry(settings.get("credHelpers"), key) or settings.get("credsStore")
    found = _from_helper(str(helper), key, env, timeout) if helper else {}
    return found or _from_file(_entry(settings.get("auths"), key), key, f"docker login {_name(key)}")


def _podmans(name: str, path: str, env: Mapping[str, str], timeout: float) -> dict[str, str]:
    host = _host(name)
    for file in podman_files(env):
        settings = docker_config.read(file, "REGISTRY_AUTH_FILE")
        helper = _longest(settings.get("credHelpers"), host, "")
        found = _from_helper(str(helper), host, env, timeout) if helper else {}
        key = DOCKER_HUB if host == "docker.io" else host  # as an engine takes it
        found = found or _from_file(_longest(settings.get("auths"), host, path), key, f"podman login {host}")
        if found:
            return {**found, "serveraddress": key}
    return {}


def _longest(table: Any, host: str, path: str) -> Any:
    """Find the entry with the longest key that names an image's place; a key with a path is for nothing else."""
    if not isinstance(table, dict):
        return None
    parts = [host, *path.split("/")] if path else [host]
    keys = ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]
    keys += [key for key in table if ("://" in key or "/" not in key) and _host(key) == host]
    return next((table[key] for key in keys if key in table), None)


def _entry(table: Any, key: str) -> Any:
    """Find a registry's entry: by its key as it stands, or else by the host that a key means."""
    if not isinstance(table, dict):
        return None
    if key in table:
        return table[key]
    return next((value for name, value in table.items() if _host(name) == _host(key)), None)


def _host(key: str) -> str:
    """Give the host and port of a key: older versions of docker wrote whole URLs."""
    host = urlsplit(key if "://" in key else f"//{key}").netloc.lower()
    return "docker.io" if host in HUB_NAMES else host


def _from_file(entry: Any, key: str, anew: str) -> dict[str, str]:
    if not isinstance(entry, dict):
        return {}
    found = {name: str(entry.get(name) or "") for name in ("username", "password", "identitytoken", "registrytoken")}
    if entry.get("auth"):
        try:
            user, _, password = base64.b64decode(str(entry["auth"]), validate=True).decode().partition(":")
        except ValueError:
            text = f"The credentials for {key} can't be read. Write them anew: {anew.strip()}."
            raise DockerlabError(text) from None
        found |= {"username": user, "password": password.rstrip("\0")}
    if found["identitytoken"]:
        found["password"] = ""
    given = {name: value for name, value in found.items() if value}
    return {**given, "serveraddress": key} if given else {}


def _name(key: str) -> str:
    return "" if key == DOCKER_HUB else key


def _from_helper(helper: str, key: str, env: Mapping[str, str], timeout: float) -> dict[str, str]:
    program = f"docker-credential-{helper}"
    if not HELPER_NAME.fullmatch(helper):
        raise DockerlabError(f"A credential helper is named {helper!r}, which is no name. Mend {FILES}.")
    answer = _ask(program, key, env, timeout)
    if answer is None:
        return {}
    try:
        told = json.loads(answer)
        user, secret = str(told["Username"]), str(told["Secret"])
    except (ValueError, KeyError, TypeError):
        # what it said may be the secret itself, and is not shown
        text = (
            f"{program} gave no credentials in the form that docker reads. Try it by hand: echo {key} | {program} get"
        )
        raise DockerlabError(text) from None
    if not user and not secret:
        return {}
    if user == TOKEN:
        return {"identitytoken": secret, "serveraddress": key}
    return {"username": user, "password": secret, "serveraddress": key}


def _ask(program: str, key: str, env: Mapping[str, str], timeout: float) -> str | None:
    """Run `docker-credential-… get`; None if it has nothing for this registry."""
    by_hand = f"Try it by hand: echo {key} | {program} get"
    try:
        with subprocess.Popen(  # noqa: S603  (the user's own configuration names it)
            [program, "get"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=dict(env), start_new_session=True,
        ) as ran:  # fmt: skip
            try:
                said, complaint = ran.communicate(key, timeout=timeout)
            except BaseException:
                _end(ran.pid)
                raise
    except FileNotFoundError:
        text = f"The credential helper is {program}, which is not in PATH. Install it, or take credsStore and "
        raise DockerlabError(f"{text}credHelpers out of {FILES}.") from None
    except subprocess.TimeoutExpired:
        text = f"{program} gave no answer within {timeout:g} s: it may wait for a password somewhere. {by_hand}"
        raise DockerlabError(text) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DockerlabError(f"{program} can't be run: {getattr(error, 'strerror', error)}. {by_hand}") from None
    if ran.returncode == 0:
        return said
    if NOTHING_THERE in said + complaint:
        return None
    reason = printable((complaint or said).strip().rpartition("\n")[2][:200]) or f"it ended with code {ran.returncode}"
    raise DockerlabError(f"{program} failed: {reason}. {by_hand}")


def _end(pid: int) -> None:
    """End a helper and what it started, which may hold its pipes open."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        return
