"""THE ENDPOINT TABLE: one row per operation of the Docker Engine API. Pure data, standard library only.

The rows below the line `ROWS` are written by `python tests/spec/generate_operations.py` from the API descriptions in
`tests/spec/`, and a test checks that they are up to date. How to read a row::

    row("ContainerStop", "POST /containers/{id}/stop", "none", "t:int signal:str@1.42"),
        operationId      method and path               answer  query parameters

A parameter is `name:type`, followed by `*` if it is required and by `@1.42` if it was added after API 1.41.
`headers=` are request headers, `body=` the fields of a JSON body (or `tar`, or `list`; `!` in front: the body is
required).

Types: `str int bool` are plain; `list` is repeated in the query (`names=a&names=b`); `json` is an object or
array written as JSON; `filters` is JSON of lists of strings. In a body, `list` and `json` are plain JSON.

The answer is the kind of response: `array object none text string` are whole bodies; `json-lines` is one JSON
document after the other; `mux` is the stream of 8-byte frames (raw bytes for a container with a TTY); `tar` is a tar
file; `hijack` and `websocket` are connections that become streams.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Literal, cast

Place = Literal["path", "query", "header", "body"]
Answer = Literal["array", "object", "none", "text", "string", "json-lines", "mux", "tar", "hijack", "websocket"]

#: The newest API version whose responses dockerlab knows, and the oldest that it supports. A row or a parameter may be
#: newer than NEWEST: a request with it uses its own version, if the engine supports that.
NEWEST, OLDEST = "1.51", "1.41"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation: its place in the request, and how it is written there."""

    name: str  #: as the engine spells it: `ps_args`, `fromImage`, `X-Registry-Auth`, `HostConfig`
    place: Place
    type: str
    required: bool = False
    since: str = OLDEST

    @property
    def argument(self) -> str:
        """Its Python keyword, such as `from_image`. `timeout` becomes `timeout_`: each call has its own timeout."""
        return "timeout_" if self.name == "timeout" else snake_case(self.name.removeprefix("X-"))


@dataclass(frozen=True)
class Operation:
    """One row: an operationId with its method, path, parameters and kind of response."""

    id: str
    method: str
    path: str
    answer: Answer
    parameters: tuple[Parameter, ...]
    body: Literal["", "json", "list", "tar"]
    body_required: bool
    since: str

    @functools.cached_property
    def by_argument(self) -> dict[str, Parameter]:
        """The parameters by their Python keyword."""
        return {parameter.argument: parameter for parameter in self.parameters}


@functools.lru_cache(maxsize=4096)  # enough for every row; the names of an engine's fields have no limit
def snake_case(name: str) -> str:
    """`OpenStdin` -> `open_stdin`, `copyUIDGID` -> `copy_uidgid`, `one-shot` -> `one_shot`, `IPv6` -> `ipv6`."""
    name = name.replace("IPv", "Ipv").replace("IOps", "Iops")
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return name.replace("-", "_").replace("__", "_").lower()


@functools.lru_cache
def version_number(version: str) -> tuple[int, ...]:
    """`"1.41"` -> `(1, 41)`: as texts, 1.9 would be newer than 1.41."""
    return tuple(int(part) for part in version.split("."))


def row(  # noqa: PLR0913 - the columns of the table
    id: str, endpoint: str, answer: str, query: str = "", headers: str = "", body: str = "", since: str = OLDEST
) -> Operation:
    """Return one row of the table as an Operation."""
    method, path = endpoint.split()
    required, body = body.startswith("!"), body.removeprefix("!")
    kind = body if body in ("", "tar", "list") else "json"
    parameters = [Parameter(name, "path", "str", required=True) for name in re.findall(r"\{(\w+)\}", path)]
    parameters += [_parameter(text, "query") for text in query.split()]
    parameters += [_parameter(text, "header") for text in headers.split()]
    parameters += [_parameter(text, "body") for text in body.split() if kind == "json"]
    return Operation(
        id, method, path, cast(Answer, answer), tuple(parameters), cast(Literal["json"], kind), required, since
    )


def _parameter(text: str, place: Place) -> Parameter:
    text, _, since = text.partition("@")
    name, _, kind = text.removesuffix("*").partition(":")
    return Parameter(name, place, kind, text.endswith("*"), since or OLDEST)


@functools.cache
def _pattern(path: str) -> re.Pattern[str]:
    # An image's name has slashes, so a parameter may span several segments.
    return re.compile("".join(".+" if "{" in part else re.escape(part) for part in re.split(r"(\{\w+\})", path)))


def find(method: str, path: str) -> Operation | None:
    """Return the operation of a request: `find("GET", "/v1.41/containers/web/json")` is ContainerInspect."""
    path = re.sub(r"^/v\d+\.\d+(?=/)", "", path.partition("?")[0])
    matches = [op for op in OPERATIONS.values() if op.method == method.upper() and _pattern(op.path).fullmatch(path)]
    return min(matches, key=lambda op: (op.path.count("{"), -len(op.path)), default=None)


# ROWS
OPERATIONS: dict[str, Operation] = {
    operation.id: operation
    for operation in (
        # Container
        row("ContainerList", "GET /containers/json", "array", "all:bool limit:int size:bool filters:filters"),
        row(
            "ContainerCreate", "POST /containers/create", "object",
            "name:str platform:str",
            body="!Hostname:str Domainname:str User:str AttachStdin:bool AttachStdout:bool AttachStderr:bool "
                 "ExposedPorts:json Tty:bool OpenStdin:bool StdinOnce:bool Env:list Cmd:list Healthcheck:json "
                 "ArgsEscaped:bool Image:str Volumes:json WorkingDir:str Entrypoint:list NetworkDisabled:bool "
                 "MacAddress:str OnBuild:list Labels:json StopSignal:str StopTimeout:int Shell:list HostConfig:json "
                 "NetworkingConfig:json",
        ),
        row("ContainerInspect", "GET /containers/{id}/json", "object", "size:bool"),
        row("ContainerTop", "GET /containers/{id}/top", "object", "ps_args:str"),
        row(
            "ContainerLogs", "GET /containers/{id}/logs", "mux",
            "follow:bool stdout:bool stderr:bool since:time until:time timestamps:bool tail:str",
        ),
        row("ContainerChanges", "GET /containers/{id}/changes", "array"),
        row("ContainerExport", "GET /containers/{id}/export", "tar"),
        row("ContainerStats", "GET /containers/{id}/stats", "json-lines", "stream:bool one-shot:bool"),
        row("ContainerResize", "POST /containers/{id}/resize", "none", "h:int* w:int*"),
        row("ContainerStart", "POST /containers/{id}/start", "none", "detachKeys:str"),
        row("ContainerStop", "POST /containers/{id}/stop", "none", "signal:str@1.42 t:int"),
        row("ContainerRestart", "POST /containers/{id}/restart", "none", "signal:str@1.42 t:int"),
        row("ContainerKill", "POST /containers/{id}/kill", "none", "signal:str"),
        row(
            "ContainerUpdate", "POST /containers/{id}/update", "object",
            body="!CpuShares:int Memory:int CgroupParent:str BlkioWeight:int BlkioWeightDevice:list "
                 "BlkioDeviceReadBps:list BlkioDeviceWriteBps:list BlkioDeviceReadIOps:list BlkioDeviceWriteIOps:list "
                 "CpuPeriod:int CpuQuota:int CpuRealtimePeriod:int CpuRealtimeRuntime:int CpusetCpus:str "
                 "CpusetMems:str Devices:list DeviceCgroupRules:list DeviceRequests:list KernelMemoryTCP:int "
                 "MemoryReservation:int MemorySwap:int MemorySwappiness:int NanoCpus:int OomKillDisable:bool "
                 "Init:bool PidsLimit:int Ulimits:list CpuCount:int CpuPercent:int IOMaximumIOps:int "
                 "IOMaximumBandwidth:int RestartPolicy:json",
        ),
        row("ContainerRename", "POST /containers/{id}/rename", "none", "name:str*"),
        row("ContainerPause", "POST /containers/{id}/pause", "none"),
        row("ContainerUnpause", "POST /containers/{id}/unpause", "none"),
        row(
            "ContainerAttach", "POST /containers/{id}/attach", "hijack",
            "detachKeys:str logs:bool stream:bool stdin:bool stdout:bool stderr:bool",
        ),
        row(
            "ContainerAttachWebsocket", "GET /containers/{id}/attach/ws", "websocket",
            "detachKeys:str logs:bool stream:bool stdin:bool@1.42 stdout:bool@1.42 stderr:bool@1.42",
        ),
        row("ContainerWait", "POST /containers/{id}/wait", "object", "condition:str"),
        row("ContainerDelete", "DELETE /containers/{id}", "none", "v:bool force:bool link:bool"),
        row("ContainerArchive", "GET /containers/{id}/archive", "tar", "path:str*"),
        row("ContainerArchiveInfo", "HEAD /containers/{id}/archive", "none", "path:str*"),
        row(
            "PutContainerArchive", "PUT /containers/{id}/archive", "none",
            "path:str* noOverwriteDirNonDir:str copyUIDGID:str",
            body="!tar",
        ),
        row("ContainerPrune", "POST /containers/prune", "object", "filters:filters"),
        # Image
        row(
            "ImageList", "GET /images/json", "array",
            "all:bool filters:filters shared-size:bool@1.42 digests:bool manifests:bool@1.47 identity:bool@1.54",
        ),
        row(
            "ImageBuild", "POST /build", "json-lines",
            "dockerfile:str t:str extrahosts:str remote:str q:bool nocache:bool cachefrom:json pull:str rm:bool "
            "forcerm:bool memory:int memswap:int cpushares:int cpusetcpus:str cpuperiod:int cpuquota:int "
            "buildargs:json shmsize:int squash:bool labels:json networkmode:str platform:str target:str outputs:str "
            "version:str",
            headers="Content-type:str X-Registry-Config:str",
            body="tar",
        ),
        row(
            "BuildPrune", "POST /build/prune", "object",
            "keep-storage:int reserved-space:int@1.48 max-used-space:int@1.48 min-free-space:int@1.48 all:bool "
            "filters:filters",
        ),
        row(
            "ImageCreate", "POST /images/create", "json-lines",
            "fromImage:str fromSrc:str repo:str tag:str message:str changes:list platform:str",
            headers="X-Registry-Auth:str",
            body="tar",
        ),
        row("ImageInspect", "GET /images/{name}/json", "object", "manifests:bool@1.48 platform:json@1.49"),
        row(
            "ImageAttestations", "GET /images/{name}/attestations", "array",
            "platform:list type:list statement:bool",
            since="1.55",
        ),
        row("ImageHistory", "GET /images/{name}/history", "array", "platform:json@1.48"),
        row(
            "ImagePush", "POST /images/{name}/push", "json-lines",
            "tag:str platform:json@1.46",
            headers="X-Registry-Auth:str*",
        ),
        row("ImageTag", "POST /images/{name}/tag", "none", "repo:str tag:str"),
        row("ImageDelete", "DELETE /images/{name}", "array", "force:bool noprune:bool platforms:json@1.50"),
        row(
            "ImageSearch", "GET /images/search", "array",
            "term:str* limit:int filters:filters",
            headers="X-Registry-Auth:str",
        ),
        row("ImagePrune", "POST /images/prune", "object", "filters:filters"),
        # System
        row("SystemAuth", "POST /auth", "object", body="username:str password:str email:str serveraddress:str"),
        row("SystemInfo", "GET /info", "object"),
        row("SystemVersion", "GET /version", "object"),
        row("SystemPing", "GET /_ping", "text"),
        row("SystemPingHead", "HEAD /_ping", "none"),
        # Image
        row(
            "ImageCommit", "POST /commit", "object",
            "container:str repo:str tag:str comment:str author:str pause:bool changes:str",
            body="Hostname:str Domainname:str User:str AttachStdin:bool AttachStdout:bool AttachStderr:bool "
                 "ExposedPorts:json Tty:bool OpenStdin:bool StdinOnce:bool Env:list Cmd:list Healthcheck:json "
                 "ArgsEscaped:bool Image:str Volumes:json WorkingDir:str Entrypoint:list NetworkDisabled:bool "
                 "MacAddress:str OnBuild:list Labels:json StopSignal:str StopTimeout:int Shell:list",
        ),
        # System
        row("SystemEvents", "GET /events", "json-lines", "since:time until:time filters:filters"),
        row("SystemDataUsage", "GET /system/df", "object", "type:list@1.42 verbose:bool@1.52"),
        # Image
        row("ImageGet", "GET /images/{name}/get", "tar", "platform:json@1.48"),
        row("ImageGetAll", "GET /images/get", "tar", "names:list platform:json@1.48"),
        row("ImageLoad", "POST /images/load", "json-lines", "quiet:bool platform:json@1.48", body="tar"),
        # Exec
        row(
            "ContainerExec", "POST /containers/{id}/exec", "object",
            body="!AttachStdin:bool AttachStdout:bool AttachStderr:bool ConsoleSize:list@1.42 DetachKeys:str Tty:bool "
                 "Env:list Cmd:list Privileged:bool User:str WorkingDir:str",
        ),
        row("ExecStart", "POST /exec/{id}/start", "hijack", body="Detach:bool Tty:bool ConsoleSize:list@1.42"),
        row("ExecResize", "POST /exec/{id}/resize", "none", "h:int* w:int*"),
        row("ExecInspect", "GET /exec/{id}/json", "object"),
        # Volume
        row("VolumeList", "GET /volumes", "object", "filters:filters"),
        row(
            "VolumeCreate", "POST /volumes/create", "object",
            body="!Name:str Driver:str DriverOpts:json Labels:json ClusterVolumeSpec:json@1.42",
        ),
        row("VolumeInspect", "GET /volumes/{name}", "object"),
        row("VolumeUpdate", "PUT /volumes/{name}", "none", "version:int*", body="Spec:json", since="1.42"),
        row("VolumeDelete", "DELETE /volumes/{name}", "none", "force:bool"),
        row("VolumePrune", "POST /volumes/prune", "object", "filters:filters"),
        # Network
        row("NetworkList", "GET /networks", "array", "filters:filters"),
        row("NetworkInspect", "GET /networks/{id}", "object", "verbose:bool scope:str"),
        row("NetworkDelete", "DELETE /networks/{id}", "none"),
        row(
            "NetworkCreate", "POST /networks/create", "object",
            body="!Name:str* Driver:str Scope:str Internal:bool Attachable:bool Ingress:bool ConfigOnly:bool "
                 "ConfigFrom:json IPAM:json EnableIPv4:bool@1.48 EnableIPv6:bool Options:json Labels:json",
        ),
        row("NetworkConnect", "POST /networks/{id}/connect", "none", body="!Container:str EndpointConfig:json"),
        row("NetworkDisconnect", "POST /networks/{id}/disconnect", "none", body="!Container:str Force:bool"),
        row("NetworkPrune", "POST /networks/prune", "object", "filters:filters"),
        # Plugin
        row("PluginList", "GET /plugins", "array", "filters:filters"),
        row("GetPluginPrivileges", "GET /plugins/privileges", "array", "remote:str*", headers="X-Registry-Auth:str"),
        row(
            "PluginPull", "POST /plugins/pull", "json-lines",
            "remote:str* name:str",
            headers="X-Registry-Auth:str",
            body="list",
        ),
        row("PluginInspect", "GET /plugins/{name}/json", "object"),
        row("PluginDelete", "DELETE /plugins/{name}", "none", "force:bool"),
        row("PluginEnable", "POST /plugins/{name}/enable", "none", "timeout:int"),
        row("PluginDisable", "POST /plugins/{name}/disable", "none", "force:bool"),
        row(
            "PluginUpgrade", "POST /plugins/{name}/upgrade", "json-lines",
            "remote:str*",
            headers="X-Registry-Auth:str",
            body="list",
        ),
        row("PluginCreate", "POST /plugins/create", "none", "name:str*", body="tar"),
        row("PluginPush", "POST /plugins/{name}/push", "json-lines", headers="X-Registry-Auth:str"),
        row("PluginSet", "POST /plugins/{name}/set", "none", body="list"),
        # Node
        row("NodeList", "GET /nodes", "array", "filters:filters"),
        row("NodeInspect", "GET /nodes/{id}", "object"),
        row("NodeDelete", "DELETE /nodes/{id}", "none", "force:bool"),
        row(
            "NodeUpdate", "POST /nodes/{id}/update", "none",
            "version:int*",
            body="Name:str Labels:json Role:str Availability:str",
        ),
        # Swarm
        row("SwarmInspect", "GET /swarm", "object"),
        row(
            "SwarmInit", "POST /swarm/init", "string",
            body="!ListenAddr:str AdvertiseAddr:str DataPathAddr:str DataPathPort:int DefaultAddrPool:list "
                 "ForceNewCluster:bool SubnetSize:int Spec:json",
        ),
        row(
            "SwarmJoin", "POST /swarm/join", "none",
            body="!ListenAddr:str* AdvertiseAddr:str DataPathAddr:str RemoteAddrs:list* JoinToken:str*",
        ),
        row("SwarmLeave", "POST /swarm/leave", "none", "force:bool"),
        row(
            "SwarmUpdate", "POST /swarm/update", "none",
            "version:int* rotateWorkerToken:bool rotateManagerToken:bool rotateManagerUnlockKey:bool",
            body="!Name:str Labels:json Orchestration:json Raft:json Dispatcher:json CAConfig:json "
                 "EncryptionConfig:json TaskDefaults:json",
        ),
        row("SwarmUnlockkey", "GET /swarm/unlockkey", "object"),
        row("SwarmUnlock", "POST /swarm/unlock", "none", body="!UnlockKey:str"),
        # Service
        row("ServiceList", "GET /services", "array", "filters:filters status:bool"),
        row(
            "ServiceCreate", "POST /services/create", "object",
            headers="X-Registry-Auth:str",
            body="!Name:str Labels:json TaskTemplate:json Mode:json UpdateConfig:json RollbackConfig:json "
                 "Networks:list EndpointSpec:json",
        ),
        row("ServiceInspect", "GET /services/{id}", "object", "insertDefaults:bool"),
        row("ServiceDelete", "DELETE /services/{id}", "none"),
        row(
            "ServiceUpdate", "POST /services/{id}/update", "object",
            "version:int* registryAuthFrom:str rollback:str",
            headers="X-Registry-Auth:str",
            body="!Name:str Labels:json TaskTemplate:json Mode:json UpdateConfig:json RollbackConfig:json "
                 "Networks:list EndpointSpec:json",
        ),
        row(
            "ServiceLogs", "GET /services/{id}/logs", "mux",
            "details:bool follow:bool stdout:bool stderr:bool since:time timestamps:bool tail:str",
        ),
        # Task
        row("TaskList", "GET /tasks", "array", "filters:filters"),
        row("TaskInspect", "GET /tasks/{id}", "object"),
        row(
            "TaskLogs", "GET /tasks/{id}/logs", "mux",
            "details:bool follow:bool stdout:bool stderr:bool since:time timestamps:bool tail:str",
        ),
        # Secret
        row("SecretList", "GET /secrets", "array", "filters:filters"),
        row(
            "SecretCreate", "POST /secrets/create", "object",
            body="Name:str Labels:json Data:str Driver:json Templating:json",
        ),
        row("SecretInspect", "GET /secrets/{id}", "object"),
        row("SecretDelete", "DELETE /secrets/{id}", "none"),
        row(
            "SecretUpdate", "POST /secrets/{id}/update", "none",
            "version:int*",
            body="Name:str Labels:json Data:str Driver:json Templating:json",
        ),
        # Config
        row("ConfigList", "GET /configs", "array", "filters:filters"),
        row("ConfigCreate", "POST /configs/create", "object", body="Name:str Labels:json Data:str Templating:json"),
        row("ConfigInspect", "GET /configs/{id}", "object"),
        row("ConfigDelete", "DELETE /configs/{id}", "none"),
        row(
            "ConfigUpdate", "POST /configs/{id}/update", "none",
            "version:int*",
            body="Name:str Labels:json Data:str Templating:json",
        ),
        # Distribution
        row("DistributionInspect", "GET /distribution/{name}/json", "object", headers="X-Registry-Auth:str"),
        # Session
        row("Session", "POST /session", "hijack"),
    )
}
