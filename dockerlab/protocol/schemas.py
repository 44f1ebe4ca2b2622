"""The objects in the bodies of requests, and a check for misspelt names and wrong types. Standard library only.

The check is necessary because an engine silently ignores unknown fields: `{"RestartPolcy": …}` would be lost.
The rows below the line `ROWS` are written by `python tests/spec/generate_schemas.py`: an object's name, and its fields
as `name:type`. Types: `str int num bool any`; `[str]` is a list; `{str}` is a map whose keys the user chooses; any
other type is the name of an object.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["FIELDS", "fields", "problem"]

DESCRIPTIONS = {"str": "a text", "int": "a whole number", "num": "a number", "bool": "True or False"}


@functools.cache
def fields(name: str) -> dict[str, str]:
    """Return the fields of an object, each with its type. Raises KeyError if there is no such object."""
    return dict(field.split(":", 1) for field in FIELDS[name].split())


def problem(kind: str, value: Any, path: str) -> str:
    """Describe the first problem of a value of this type; return an empty text if there is none. None always fits."""
    if value is None or kind == "any":
        return ""
    if kind in DESCRIPTIONS:
        return "" if _fits(kind, value) else f"`{path}` is {DESCRIPTIONS[kind]}, not {value!r}."
    types, description = ((list, tuple), "a list") if kind[0] == "[" else (Mapping, "a dict")
    if not isinstance(value, types):
        return f"`{path}` is {description}, not {value!r}."
    return next(filter(None, _nested_problems(kind, value, path)), "")


def _nested_problems(kind: str, value: Any, path: str) -> Iterator[str]:
    if kind[0] == "[":
        yield from (problem(kind[1:-1], item, f"{path}[{number}]") for number, item in enumerate(value))
    elif kind[0] == "{":
        yield from (problem(kind[1:-1], item, f"{path}[{key!r}]") for key, item in value.items())
    else:
        types = fields(kind)
        for key, item in value.items():
            yield problem(types[key], item, f"{path}.{key}") if key in types else _unknown_field(key, types, path)


def _fits(kind: str, value: Any) -> bool:
    if kind == "str":
        return isinstance(value, str)
    if kind == "bool":
        return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")  # numpy's bool, too
    is_integer = hasattr(value, "__index__") and not isinstance(value, bool)
    return is_integer or (kind == "num" and isinstance(value, float))


def _unknown_field(key: Any, types: dict[str, str], path: str) -> str:
    folded = {name.lower(): name for name in types}
    similar = difflib.get_close_matches(str(key).replace("_", "").lower(), folded, n=1)
    suggestion = f" Did you mean `{folded[similar[0]]}`?" if similar else f" It has: {', '.join(types)}."
    return f"`{path}` has no field {key!r}.{suggestion}"


# ROWS
FIELDS: dict[str, str] = {
    "ClusterVolumeSpec": "Group:str AccessMode:ClusterVolumeSpec.AccessMode",
    "ClusterVolumeSpec.AccessMode": (
        "Scope:str Sharing:str MountVolume:{any} Secrets:[ClusterVolumeSpec.AccessMode.Secrets.item] "
        "AccessibilityRequirements:ClusterVolumeSpec.AccessMode.AccessibilityRequirements "
        "CapacityRange:ClusterVolumeSpec.AccessMode.CapacityRange Availability:str"
    ),
    "ClusterVolumeSpec.AccessMode.AccessibilityRequirements": "Requisite:[Topology] Preferred:[Topology]",
    "ClusterVolumeSpec.AccessMode.CapacityRange": "RequiredBytes:int LimitBytes:int",
    "ClusterVolumeSpec.AccessMode.Secrets.item": "Key:str Secret:str",
    "ConfigCreate": "Name:str Labels:{str} Data:str Templating:Driver",
    "ConfigReference": "Network:str",
    "ConfigUpdate": "Name:str Labels:{str} Data:str Templating:Driver",
    "ContainerCreate": (
        "Hostname:str Domainname:str User:str AttachStdin:bool AttachStdout:bool AttachStderr:bool "
        "ExposedPorts:{{any}} Tty:bool OpenStdin:bool StdinOnce:bool Env:[str] Cmd:[str] "
        "Healthcheck:HealthConfig ArgsEscaped:bool Image:str Volumes:{{any}} WorkingDir:str Entrypoint:[str] "
        "NetworkDisabled:bool MacAddress:str OnBuild:[str] Labels:{str} StopSignal:str StopTimeout:int "
        "Shell:[str] HostConfig:HostConfig NetworkingConfig:NetworkingConfig"
    ),
    "ContainerExec": (
        "AttachStdin:bool AttachStdout:bool AttachStderr:bool DetachKeys:str Tty:bool Env:[str] Cmd:[str] "
        "Privileged:bool User:str WorkingDir:str ConsoleSize:[int]"
    ),
    "ContainerUpdate": (
        "CpuShares:int Memory:int CgroupParent:str BlkioWeight:int "
        "BlkioWeightDevice:[ContainerUpdate.BlkioWeightDevice.item] BlkioDeviceReadBps:[ThrottleDevice] "
        "BlkioDeviceWriteBps:[ThrottleDevice] BlkioDeviceReadIOps:[ThrottleDevice] "
        "BlkioDeviceWriteIOps:[ThrottleDevice] CpuPeriod:int CpuQuota:int CpuRealtimePeriod:int "
        "CpuRealtimeRuntime:int CpusetCpus:str CpusetMems:str Devices:[DeviceMapping] DeviceCgroupRules:[str] "
        "DeviceRequests:[DeviceRequest] KernelMemory:int KernelMemoryTCP:int MemoryReservation:int "
        "MemorySwap:int MemorySwappiness:int NanoCpus:int OomKillDisable:bool Init:bool PidsLimit:int "
        "Ulimits:[ContainerUpdate.Ulimits.item] CpuCount:int CpuPercent:int IOMaximumIOps:int "
        "IOMaximumBandwidth:int RestartPolicy:RestartPolicy"
    ),
    "ContainerUpdate.BlkioWeightDevice.item": "Path:str Weight:int",
    "ContainerUpdate.Ulimits.item": "Name:str Soft:int Hard:int",
    "DeviceMapping": "PathOnHost:str PathInContainer:str CgroupPermissions:str",
    "DeviceRequest": "Driver:str Count:int DeviceIDs:[str] Capabilities:[[str]] Options:{str}",
    "Driver": "Name:str Options:{str}",
    "EndpointIPAMConfig": "IPv4Address:str IPv6Address:str LinkLocalIPs:[str]",
    "EndpointPortConfig": "Name:str Protocol:str TargetPort:int PublishedPort:int PublishMode:str",
    "EndpointSettings": (
        "IPAMConfig:EndpointIPAMConfig Links:[str] Aliases:[str] NetworkID:str EndpointID:str Gateway:str "
        "IPAddress:str IPPrefixLen:int IPv6Gateway:str GlobalIPv6Address:str GlobalIPv6PrefixLen:int "
        "MacAddress:str DriverOpts:{str} GwPriority:int DNSNames:[str]"
    ),
    "EndpointSpec": "Mode:str Ports:[EndpointPortConfig]",
    "ExecStart": "Detach:bool Tty:bool ConsoleSize:[int]",
    "GenericResources.item": (
        "NamedResourceSpec:GenericResources.item.NamedResourceSpec "
        "DiscreteResourceSpec:GenericResources.item.DiscreteResourceSpec"
    ),
    "GenericResources.item.DiscreteResourceSpec": "Kind:str Value:int",
    "GenericResources.item.NamedResourceSpec": "Kind:str Value:str",
    "HealthConfig": "Test:[str] Interval:int Timeout:int Retries:int StartPeriod:int StartInterval:int",
    "HostConfig": (
        "CpuShares:int Memory:int CgroupParent:str BlkioWeight:int "
        "BlkioWeightDevice:[HostConfig.BlkioWeightDevice.item] BlkioDeviceReadBps:[ThrottleDevice] "
        "BlkioDeviceWriteBps:[ThrottleDevice] BlkioDeviceReadIOps:[ThrottleDevice] "
        "BlkioDeviceWriteIOps:[ThrottleDevice] CpuPeriod:int CpuQuota:int CpuRealtimePeriod:int "
        "CpuRealtimeRuntime:int CpusetCpus:str CpusetMems:str Devices:[DeviceMapping] DeviceCgroupRules:[str] "
        "DeviceRequests:[DeviceRequest] KernelMemory:int KernelMemoryTCP:int MemoryReservation:int "
        "MemorySwap:int MemorySwappiness:int NanoCpus:int OomKillDisable:bool Init:bool PidsLimit:int "
        "Ulimits:[HostConfig.Ulimits.item] CpuCount:int CpuPercent:int IOMaximumIOps:int "
        "IOMaximumBandwidth:int Binds:[str] ContainerIDFile:str LogConfig:HostConfig.LogConfig "
        "NetworkMode:str PortBindings:{[PortBinding]} RestartPolicy:RestartPolicy AutoRemove:bool "
        "VolumeDriver:str VolumesFrom:[str] Mounts:[Mount] CapAdd:[str] CapDrop:[str] CgroupnsMode:str "
        "Dns:[str] DnsOptions:[str] DnsSearch:[str] ExtraHosts:[str] GroupAdd:[str] IpcMode:str Cgroup:str "
        "Links:[str] OomScoreAdj:int PidMode:str Privileged:bool PublishAllPorts:bool ReadonlyRootfs:bool "
        "SecurityOpt:[str] StorageOpt:{str} Tmpfs:{str} UTSMode:str UsernsMode:str ShmSize:int Sysctls:{str} "
        "Runtime:str ConsoleSize:[int] Isolation:str MaskedPaths:[str] ReadonlyPaths:[str] Annotations:{str}"
    ),
    "HostConfig.BlkioWeightDevice.item": "Path:str Weight:int",
    "HostConfig.LogConfig": "Type:str Config:{str}",
    "HostConfig.Ulimits.item": "Name:str Soft:int Hard:int",
    "IPAM": "Driver:str Config:[IPAMConfig] Options:{str}",
    "IPAMConfig": "Subnet:str IPRange:str Gateway:str AuxiliaryAddresses:{str}",
    "ImageCommit": (
        "Hostname:str Domainname:str User:str AttachStdin:bool AttachStdout:bool AttachStderr:bool "
        "ExposedPorts:{{any}} Tty:bool OpenStdin:bool StdinOnce:bool Env:[str] Cmd:[str] "
        "Healthcheck:HealthConfig ArgsEscaped:bool Image:str Volumes:{{any}} WorkingDir:str Entrypoint:[str] "
        "NetworkDisabled:bool MacAddress:str OnBuild:[str] Labels:{str} StopSignal:str StopTimeout:int "
        "Shell:[str]"
    ),
    "Limit": "NanoCPUs:int MemoryBytes:int Pids:int",
    "Mount": (
        "Target:str Source:str Type:str ReadOnly:bool Consistency:str BindOptions:Mount.BindOptions "
        "VolumeOptions:Mount.VolumeOptions TmpfsOptions:Mount.TmpfsOptions ImageOptions:Mount.ImageOptions"
    ),
    "Mount.BindOptions": (
        "Propagation:str NonRecursive:bool CreateMountpoint:bool ReadOnlyNonRecursive:bool "
        "ReadOnlyForceRecursive:bool"
    ),
    "Mount.ImageOptions": "Subpath:str",
    "Mount.TmpfsOptions": "SizeBytes:int Mode:int Options:[[str]]",
    "Mount.VolumeOptions": "NoCopy:bool Labels:{str} DriverConfig:Mount.VolumeOptions.DriverConfig Subpath:str",
    "Mount.VolumeOptions.DriverConfig": "Name:str Options:{str}",
    "NetworkAttachmentConfig": "Target:str Aliases:[str] DriverOpts:{str}",
    "NetworkConnect": "Container:str EndpointConfig:EndpointSettings",
    "NetworkCreate": (
        "Name:str CheckDuplicate:bool Driver:str Scope:str Internal:bool Attachable:bool Ingress:bool "
        "ConfigOnly:bool ConfigFrom:ConfigReference IPAM:IPAM EnableIPv6:bool Options:{str} Labels:{str} "
        "EnableIPv4:bool"
    ),
    "NetworkDisconnect": "Container:str Force:bool",
    "NetworkingConfig": "EndpointsConfig:{EndpointSettings}",
    "NodeUpdate": "Name:str Labels:{str} Role:str Availability:str",
    "Platform": "Architecture:str OS:str",
    "PluginPrivilege": "Name:str Description:str Value:[str]",
    "PortBinding": "HostIp:str HostPort:str",
    "ResourceObject": "NanoCPUs:int MemoryBytes:int GenericResources:[GenericResources.item]",
    "RestartPolicy": "Name:str MaximumRetryCount:int",
    "SecretCreate": "Name:str Labels:{str} Data:str Driver:Driver Templating:Driver",
    "SecretUpdate": "Name:str Labels:{str} Data:str Driver:Driver Templating:Driver",
    "ServiceCreate": (
        "Name:str Labels:{str} TaskTemplate:TaskSpec Mode:ServiceCreate.Mode "
        "UpdateConfig:ServiceCreate.UpdateConfig RollbackConfig:ServiceCreate.RollbackConfig "
        "Networks:[NetworkAttachmentConfig] EndpointSpec:EndpointSpec"
    ),
    "ServiceCreate.Mode": (
        "Replicated:ServiceCreate.Mode.Replicated Global:{any} ReplicatedJob:ServiceCreate.Mode.ReplicatedJob "
        "GlobalJob:{any}"
    ),
    "ServiceCreate.Mode.Replicated": "Replicas:int",
    "ServiceCreate.Mode.ReplicatedJob": "MaxConcurrent:int TotalCompletions:int",
    "ServiceCreate.RollbackConfig": (
        "Parallelism:int Delay:int FailureAction:str Monitor:int MaxFailureRatio:num Order:str"
    ),
    "ServiceCreate.UpdateConfig": (
        "Parallelism:int Delay:int FailureAction:str Monitor:int MaxFailureRatio:num Order:str"
    ),
    "ServiceUpdate": (
        "Name:str Labels:{str} TaskTemplate:TaskSpec Mode:ServiceUpdate.Mode "
        "UpdateConfig:ServiceUpdate.UpdateConfig RollbackConfig:ServiceUpdate.RollbackConfig "
        "Networks:[NetworkAttachmentConfig] EndpointSpec:EndpointSpec"
    ),
    "ServiceUpdate.Mode": (
        "Replicated:ServiceUpdate.Mode.Replicated Global:{any} ReplicatedJob:ServiceUpdate.Mode.ReplicatedJob "
        "GlobalJob:{any}"
    ),
    "ServiceUpdate.Mode.Replicated": "Replicas:int",
    "ServiceUpdate.Mode.ReplicatedJob": "MaxConcurrent:int TotalCompletions:int",
    "ServiceUpdate.RollbackConfig": (
        "Parallelism:int Delay:int FailureAction:str Monitor:int MaxFailureRatio:num Order:str"
    ),
    "ServiceUpdate.UpdateConfig": (
        "Parallelism:int Delay:int FailureAction:str Monitor:int MaxFailureRatio:num Order:str"
    ),
    "SwarmInit": (
        "ListenAddr:str AdvertiseAddr:str DataPathAddr:str DataPathPort:int DefaultAddrPool:[str] "
        "ForceNewCluster:bool SubnetSize:int Spec:SwarmSpec"
    ),
    "SwarmJoin": "ListenAddr:str AdvertiseAddr:str DataPathAddr:str RemoteAddrs:[str] JoinToken:str",
    "SwarmSpec": (
        "Name:str Labels:{str} Orchestration:SwarmSpec.Orchestration Raft:SwarmSpec.Raft "
        "Dispatcher:SwarmSpec.Dispatcher CAConfig:SwarmSpec.CAConfig "
        "EncryptionConfig:SwarmSpec.EncryptionConfig TaskDefaults:SwarmSpec.TaskDefaults"
    ),
    "SwarmSpec.CAConfig": (
        "NodeCertExpiry:int ExternalCAs:[SwarmSpec.CAConfig.ExternalCAs.item] SigningCACert:str "
        "SigningCAKey:str ForceRotate:int"
    ),
    "SwarmSpec.CAConfig.ExternalCAs.item": "Protocol:str URL:str Options:{str} CACert:str",
    "SwarmSpec.Dispatcher": "HeartbeatPeriod:int",
    "SwarmSpec.EncryptionConfig": "AutoLockManagers:bool",
    "SwarmSpec.Orchestration": "TaskHistoryRetentionLimit:int",
    "SwarmSpec.Raft": (
        "SnapshotInterval:int KeepOldSnapshots:int LogEntriesForSlowFollowers:int ElectionTick:int "
        "HeartbeatTick:int"
    ),
    "SwarmSpec.TaskDefaults": "LogDriver:SwarmSpec.TaskDefaults.LogDriver",
    "SwarmSpec.TaskDefaults.LogDriver": "Name:str Options:{str}",
    "SwarmUnlock": "UnlockKey:str",
    "SwarmUpdate": (
        "Name:str Labels:{str} Orchestration:SwarmUpdate.Orchestration Raft:SwarmUpdate.Raft "
        "Dispatcher:SwarmUpdate.Dispatcher CAConfig:SwarmUpdate.CAConfig "
        "EncryptionConfig:SwarmUpdate.EncryptionConfig TaskDefaults:SwarmUpdate.TaskDefaults"
    ),
    "SwarmUpdate.CAConfig": (
        "NodeCertExpiry:int ExternalCAs:[SwarmUpdate.CAConfig.ExternalCAs.item] SigningCACert:str "
        "SigningCAKey:str ForceRotate:int"
    ),
    "SwarmUpdate.CAConfig.ExternalCAs.item": "Protocol:str URL:str Options:{str} CACert:str",
    "SwarmUpdate.Dispatcher": "HeartbeatPeriod:int",
    "SwarmUpdate.EncryptionConfig": "AutoLockManagers:bool",
    "SwarmUpdate.Orchestration": "TaskHistoryRetentionLimit:int",
    "SwarmUpdate.Raft": (
        "SnapshotInterval:int KeepOldSnapshots:int LogEntriesForSlowFollowers:int ElectionTick:int "
        "HeartbeatTick:int"
    ),
    "SwarmUpdate.TaskDefaults": "LogDriver:SwarmUpdate.TaskDefaults.LogDriver",
    "SwarmUpdate.TaskDefaults.LogDriver": "Name:str Options:{str}",
    "SystemAuth": "username:str password:str email:str serveraddress:str",
    "TaskSpec": (
        "PluginSpec:TaskSpec.PluginSpec ContainerSpec:TaskSpec.ContainerSpec "
        "NetworkAttachmentSpec:TaskSpec.NetworkAttachmentSpec Resources:TaskSpec.Resources "
        "RestartPolicy:TaskSpec.RestartPolicy Placement:TaskSpec.Placement ForceUpdate:int Runtime:str "
        "Networks:[NetworkAttachmentConfig] LogDriver:TaskSpec.LogDriver"
    ),
    "TaskSpec.ContainerSpec": (
        "Image:str Labels:{str} Command:[str] Args:[str] Hostname:str Env:[str] Dir:str User:str Groups:[str] "
        "Privileges:TaskSpec.ContainerSpec.Privileges TTY:bool OpenStdin:bool ReadOnly:bool Mounts:[Mount] "
        "StopSignal:str StopGracePeriod:int HealthCheck:HealthConfig Hosts:[str] "
        "DNSConfig:TaskSpec.ContainerSpec.DNSConfig Secrets:[TaskSpec.ContainerSpec.Secrets.item] "
        "Configs:[TaskSpec.ContainerSpec.Configs.item] Isolation:str Init:bool Sysctls:{str} "
        "CapabilityAdd:[str] CapabilityDrop:[str] Ulimits:[TaskSpec.ContainerSpec.Ulimits.item] "
        "OomScoreAdj:int"
    ),
    "TaskSpec.ContainerSpec.Configs.item": (
        "File:TaskSpec.ContainerSpec.Configs.item.File Runtime:{any} ConfigID:str ConfigName:str"
    ),
    "TaskSpec.ContainerSpec.Configs.item.File": "Name:str UID:str GID:str Mode:int",
    "TaskSpec.ContainerSpec.DNSConfig": "Nameservers:[str] Search:[str] Options:[str]",
    "TaskSpec.ContainerSpec.Privileges": (
        "CredentialSpec:TaskSpec.ContainerSpec.Privileges.CredentialSpec "
        "SELinuxContext:TaskSpec.ContainerSpec.Privileges.SELinuxContext "
        "Seccomp:TaskSpec.ContainerSpec.Privileges.Seccomp "
        "AppArmor:TaskSpec.ContainerSpec.Privileges.AppArmor NoNewPrivileges:bool"
    ),
    "TaskSpec.ContainerSpec.Privileges.AppArmor": "Mode:str",
    "TaskSpec.ContainerSpec.Privileges.CredentialSpec": "Config:str File:str Registry:str",
    "TaskSpec.ContainerSpec.Privileges.SELinuxContext": "Disable:bool User:str Role:str Type:str Level:str",
    "TaskSpec.ContainerSpec.Privileges.Seccomp": "Mode:str Profile:str",
    "TaskSpec.ContainerSpec.Secrets.item": (
        "File:TaskSpec.ContainerSpec.Secrets.item.File SecretID:str SecretName:str"
    ),
    "TaskSpec.ContainerSpec.Secrets.item.File": "Name:str UID:str GID:str Mode:int",
    "TaskSpec.ContainerSpec.Ulimits.item": "Name:str Soft:int Hard:int",
    "TaskSpec.LogDriver": "Name:str Options:{str}",
    "TaskSpec.NetworkAttachmentSpec": "ContainerID:str",
    "TaskSpec.Placement": (
        "Constraints:[str] Preferences:[TaskSpec.Placement.Preferences.item] MaxReplicas:int "
        "Platforms:[Platform]"
    ),
    "TaskSpec.Placement.Preferences.item": "Spread:TaskSpec.Placement.Preferences.item.Spread",
    "TaskSpec.Placement.Preferences.item.Spread": "SpreadDescriptor:str",
    "TaskSpec.PluginSpec": "Name:str Remote:str Disabled:bool PluginPrivilege:[PluginPrivilege]",
    "TaskSpec.Resources": "Limits:Limit Reservations:ResourceObject SwapBytes:int MemorySwappiness:int",
    "TaskSpec.RestartPolicy": "Condition:str Delay:int MaxAttempts:int Window:int",
    "ThrottleDevice": "Path:str Rate:int",
    "Topology": "Segments:{str}",
    "VolumeCreate": "Name:str Driver:str DriverOpts:{str} Labels:{str} ClusterVolumeSpec:ClusterVolumeSpec",
    "VolumeUpdate": "Spec:ClusterVolumeSpec",
}
