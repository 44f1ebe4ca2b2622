"""Reads the registry credentials that `docker login` and `podman login` stored, in a file or with a credential helper.

    >>> mine = dockerlab.credentials.for_image("registry.example/web", engine=lab.engine)
    >>> lab.image.push("registry.example/web", registry_auth=mine)

They are read at each call, and never cached.
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

#: The name under which the credentials for docker.io are stored.
DOCKER_HUB = "https://index.docker.io/v1/"
HUB_NAMES = {"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
HELPER_SECONDS = 30.0
HELPER_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
#: The user name that a helper returns if its secret is a token.
TOKEN_USER = "<token>"  # noqa: S105  (this is not a secret)
NOT_FOUND = "credentials not found"
FILES = "docker's config.json or Podman's auth.json"
#: Without XDG_RUNTIME_DIR, this directory has a directory for each user.
RUNTIME = Path("/run/containers")


def registry(image: str) -> str:
    """Return the registry of an image: `docker.io` for busybox and me/web, `localhost:5000` for localhost:5000/web."""
    return _parts(image)[0]


def _parts(image: str) -> tuple[str, str]:
    """Split an image's name into its registry and its path in that registry, without tag and digest."""
    first, slash, rest = image.partition("/")
    has_registry = slash and (re.search(r"[.:]", first) or first == "localhost" or first != first.lower())
    path = re.sub(r":[^/]*$", "", (rest if has_registry else image).partition("@")[0])
    if has_registry and first not in HUB_NAMES:
        return first, path
    return "docker.io", path if "/" in path else f"library/{path}"


def for_image(
    image: str, *, engine: str = "", env: Mapping[str, str] | None = None, timeout: float = HELPER_SECONDS
) -> dict[str, str]:
    """Return the credentials for an image's registry in the form of `registry_auth=`; empty if there are none.

    With `engine=lab.engine`, Podman's files are read before docker's if that is a Podman, otherwise after them.
    Podman's files may have credentials for a part of a registry, such as registry.example/team: the longest match
    counts. Raises ArgumentError without a name, DockerlabError if a file or a credential helper fails.
    """
    if not isinstance(image, str) or not image.strip():
        raise ArgumentError("image is the name of an image, for example registry.example/web.")
    return _look_up(*_parts(image), engine, os.environ if env is None else env, timeout)


def for_registry(
    name: str, *, engine: str = "", env: Mapping[str, str] | None = None, timeout: float = HELPER_SECONDS
) -> dict[str, str]:
    """Return the credentials for a registry by its name, such as `docker.io`; empty if there are none.

    In each file, a credential helper for this registry (credHelpers) comes first, then docker's helper for all
    registries (credsStore), then the credentials in the file itself. Raises the errors of `for_image`.
    """
    return _look_up(name, "", engine, os.environ if env is None else env, timeout)


def podman_files(env: Mapping[str, str]) -> list[Path]:
    """Return the files that Podman reads, in its order: see containers-auth.json(5)."""
    if env.get("REGISTRY_AUTH_FILE"):
        return [Path(env["REGISTRY_AUTH_FILE"])]
    runtime_dir, settings, home = env.get("XDG_RUNTIME_DIR"), env.get("XDG_CONFIG_HOME"), docker_config.home(env)
    # Windows has no getuid.
    runtime = Path(runtime_dir) / "containers" if runtime_dir else RUNTIME / str(getattr(os, "getuid", int)())
    folders = [runtime] if runtime_dir or os.access(runtime, os.X_OK) else []  # it may be accessible to root only
    if settings:
        folders.append(Path(settings) / "containers")
    elif home:
        folders.append(home / ".config" / "containers")
    return [folder / "auth.json" for folder in folders]


def _look_up(name: str, path: str, engine: str, env: Mapping[str, str], timeout: float) -> dict[str, str]:
    """Return the credentials from the first file that has them."""
    is_podman = engine.lower().startswith("podman")
    if is_podman and env.get("REGISTRY_AUTH_FILE"):  # then Podman 5 reads no other file
        return _from_podman(name, path, env, timeout)
    if is_podman:
        return _from_podman(name, path, env, timeout) or _from_docker(name, env, timeout)
    return _from_docker(name, env, timeout) or _from_podman(name, path, env, timeout)


def _from_docker(name: str, env: Mapping[str, str], timeout: float) -> dict[str, str]:
    key = DOCKER_HUB if name in HUB_NAMES or name == DOCKER_HUB else name
    settings = docker_config.settings(env)
    helper = _entry(settings.get("credHelpers"), key) or settings.get("credsStore")
    credentials = _from_helper(str(helper), key, env, timeout) if helper else {}
    return credentials or _from_file(_entry(settings.get("auths"), key), key, f"docker login {_login_name(key)}")


def _from_podman(name: str, path: str, env: Mapping[str, str], timeout: float) -> dict[str, str]:
    host = _host(name)
    for file in podman_files(env):
        settings = docker_config.read(file, "REGISTRY_AUTH_FILE")
        helper = _longest_match(settings.get("credHelpers"), host, "")
        credentials = _from_helper(str(helper), host, env, timeout) if helper else {}
        key = DOCKER_HUB if host == "docker.io" else host  # the name that engines expect
        entry = _longest_match(settings.get("auths"), host, path)
        credentials = credentials or _from_file(entry, key, f"podman login {host}")
        if credentials:
            return {**credentials, "serveraddress": key}
    return {}


def _longest_match(table: Any, host: str, path: str) -> Any:
    """Return the entry whose key is the longest match for a registry and a path. A key with a path matches no other."""
    if not isinstance(table, dict):
        return None
    parts = [host, *path.split("/")] if path else [host]
    keys = ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]
    keys += [key for key in table if ("://" in key or "/" not in key) and _host(key) == host]
    return next((table[key] for key in keys if key in table), None)


def _entry(table: Any, key: str) -> Any:
    """Return a registry's entry: by its exact key, or else by the host of the key."""
    if not isinstance(table, dict):
        return None
    if key in table:
        return table[key]
    return next((value for name, value in table.items() if _host(name) == _host(key)), None)


def _host(key: str) -> str:
    """Return the host and port of a key, which may be a whole URL: older versions of docker wrote these."""
    host = urlsplit(key if "://" in key else f"//{key}").netloc.lower()
    return "docker.io" if host in HUB_NAMES else host


def _from_file(entry: Any, key: str, login: str) -> dict[str, str]:
    if not isinstance(entry, dict):
        return {}
    names = ("username", "password", "identitytoken", "registrytoken")
    credentials = {name: str(entry.get(name) or "") for name in names}
    if entry.get("auth"):
        try:
            user, _, password = base64.b64decode(str(entry["auth"]), validate=True).decode().partition(":")
        except ValueError:
            text = f"The credentials for {key} can't be read. Log in again: {login.strip()}."
            raise DockerlabError(text) from None
        credentials |= {"username": user, "password": password.rstrip("\0")}
    if credentials["identitytoken"]:
        credentials["password"] = ""
    credentials = {name: value for name, value in credentials.items() if value}
    return {**credentials, "serveraddress": key} if credentials else {}


def _login_name(key: str) -> str:
    return "" if key == DOCKER_HUB else key


def _from_helper(helper: str, key: str, env: Mapping[str, str], timeout: float) -> dict[str, str]:
    program = f"docker-credential-{helper}"
    if not HELPER_NAME.fullmatch(helper):
        raise DockerlabError(f"{helper!r} is not a valid name of a credential helper. Correct it in {FILES}.")
    output = _run_helper(program, key, env, timeout)
    if output is None:
        return {}
    try:
        document = json.loads(output)
        user, secret = str(document["Username"]), str(document["Secret"])
    except (ValueError, KeyError, TypeError):
        # The message does not show the output, because it may be the secret itself.
        text = f"{program} returned no credentials in the form that docker reads."
        raise DockerlabError(f"{text} Try it by hand: echo {key} | {program} get") from None
    if not user and not secret:
        return {}
    if user == TOKEN_USER:
        return {"identitytoken": secret, "serveraddress": key}
    return {"username": user, "password": secret, "serveraddress": key}


def _run_helper(program: str, key: str, env: Mapping[str, str], timeout: float) -> str | None:
    """Return the output of `docker-credential-… get`, or None if it has no credentials for this registry."""
    by_hand = f"Try it by hand: echo {key} | {program} get"
    try:
        with subprocess.Popen(  # noqa: S603  (the user's own configuration names it)
            [program, "get"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=dict(env), start_new_session=True,
        ) as process:  # fmt: skip
            try:
                stdout, stderr = process.communicate(key, timeout=timeout)
            except BaseException:
                _kill_group(process.pid)
                raise
    except FileNotFoundError:
        text = f"The credential helper is {program}, which is not in PATH. Install it, or remove credsStore and "
        raise DockerlabError(f"{text}credHelpers from {FILES}.") from None
    except subprocess.TimeoutExpired:
        text = f"{program} did not finish within {timeout:g} s: perhaps it waits for a password. {by_hand}"
        raise DockerlabError(text) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DockerlabError(f"{program} can't be run: {getattr(error, 'strerror', error)}. {by_hand}") from None
    if process.returncode == 0:
        return stdout
    if NOT_FOUND in stdout + stderr:
        return None
    reason = printable((stderr or stdout).strip().rpartition("\n")[2][:200])
    reason = reason or f"it ended with code {process.returncode}"
    raise DockerlabError(f"{program} failed: {reason}. {by_hand}")


def _kill_group(pid: int) -> None:
    """Kill a helper and its children, which may hold its pipes open."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        return
