"""Registry credentials, as `docker login` left them: in config.json, or with a credential helper.

    >>> lab.image.push("registry.example/web", registry_auth=dockerlab.credentials.for_image("registry.example/web"))

They are read when they are asked for, and kept nowhere.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from dockerlab import dockerconfig
from dockerlab.errors import ArgumentError, DockerlabError, printable

__all__ = ["DOCKER_HUB", "for_image", "for_registry", "registry"]

#: Under which name the credentials of docker.io are kept.
DOCKER_HUB = "https://index.docker.io/v1/"
HUB_NAMES = {"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
HELPER_SECONDS = 30.0
HELPER_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
#: What a helper gives as the user's name where its secret is a token.
TOKEN = "<token>"  # noqa: S105  (a mark, and no secret)
NOTHING_THERE = "credentials not found"


def registry(image: str) -> str:
    """Name the registry of an image: `docker.io` for busybox and me/web, `localhost:5000` for localhost:5000/web."""
    first, slash, _ = image.partition("/")
    named = slash and (re.search(r"[.:]", first) or first == "localhost" or first != first.lower())
    return "docker.io" if not named or first in HUB_NAMES else first


def for_image(image: str, *, env: Mapping[str, str] | None = None, timeout: float = HELPER_SECONDS) -> dict[str, str]:
    """Give the credentials for an image's registry, as `registry_auth=` takes them; empty if there are none.

    Raises ArgumentError if there is no name, DockerlabError if config.json or a credential helper fails.
    """
    if not isinstance(image, str) or not image.strip():
        raise ArgumentError("image is the name of an image, for example registry.example/web.")
    return for_registry(registry(image), env=env, timeout=timeout)


def for_registry(name: str, *, env: Mapping[str, str] | None = None, timeout: float = HELPER_SECONDS) -> dict[str, str]:
    """Give the credentials for a registry by its name, such as `docker.io`; empty if there are none.

    A helper for this registry (credHelpers) comes first, then the one for all (credsStore), then what is in the file.
    Raises DockerlabError if config.json or a credential helper fails.
    """
    env = os.environ if env is None else env
    key = DOCKER_HUB if name in HUB_NAMES or name == DOCKER_HUB else name
    settings = dockerconfig.settings(env)
    helper = _entry(settings.get("credHelpers"), key) or settings.get("credsStore")
    found = _from_helper(str(helper), key, env, timeout) if helper else {}
    return found or _from_file(settings.get("auths"), key)


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


def _from_file(auths: Any, key: str) -> dict[str, str]:
    entry = _entry(auths, key)
    if not isinstance(entry, dict):
        return {}
    found = {name: str(entry.get(name) or "") for name in ("username", "password", "identitytoken", "registrytoken")}
    if entry.get("auth"):
        try:
            user, _, password = base64.b64decode(str(entry["auth"]), validate=True).decode().partition(":")
        except ValueError:
            raise DockerlabError(
                f"The credentials for {key} in config.json can't be read. Write them anew: docker login {_name(key)}."
            ) from None
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
        raise DockerlabError(f"config.json names a credential helper {helper!r}, which is no name. Mend that file.")
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
        text = f"config.json names the credential helper {program}, which is not in PATH. Install it, "
        raise DockerlabError(f"{text}or take credsStore and credHelpers out of config.json.") from None
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
    import signal  # noqa: PLC0415  (only for a helper that hangs)

    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        return
