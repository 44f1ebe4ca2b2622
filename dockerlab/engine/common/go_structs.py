"""The types of Docker's documents: the fields of each struct, and the types that are other names for plain ones.

A row is a struct and its fields as `NAME:TYPE`, in Go's notation. A `+` in front of a type embeds its fields.
"""

from __future__ import annotations

import functools

__all__ = ["NAMED", "fields"]

#: Types with a name of their own -> what they are.
NAMED = {
    **dict.fromkeys(
        (
            *("container.CgroupSpec", "container.CgroupnsMode", "container.IpcMode", "container.Isolation"),
            *("container.NetworkMode", "container.PidMode", "container.RestartPolicyMode", "container.UTSMode"),
            *("container.UsernsMode", "mount.Consistency", "mount.Propagation", "mount.Type"),
            *("digest.Digest", "image.ID", "layer.DiffID", "nat.Port"),
            *("specs.Arch", "specs.LinuxSeccompAction", "specs.LinuxSeccompFlag", "specs.LinuxSeccompOperator"),
        ),
        "string",
    ),
    "fs.FileMode": "uint32",
    "nat.PortMap": "map[nat.Port][]nat.PortBinding",
    "nat.PortSet": "map[nat.Port]struct {}",
    "time.Duration": "int64",
}

STRUCTS = {
    # -- containers --------------------------------------------------------------------------------------------
    "container.CreateRequest": (
        "+container.Config HostConfig:*container.HostConfig NetworkingConfig:*network.NetworkingConfig"
    ),
    "container.Config": (
        "Hostname:string Domainname:string User:string AttachStdin:bool AttachStdout:bool AttachStderr:bool "
        "ExposedPorts:nat.PortSet Tty:bool OpenStdin:bool StdinOnce:bool Env:[]string Cmd:strslice.StrSlice "
        "Healthcheck:*v1.HealthcheckConfig ArgsEscaped:bool Image:string Volumes:map[string]struct {} "
        "WorkingDir:string Entrypoint:strslice.StrSlice NetworkDisabled:bool MacAddress:string OnBuild:[]string "
        "Labels:map[string]string StopSignal:string StopTimeout:*int Shell:strslice.StrSlice"
    ),
    "v1.HealthcheckConfig": (
        "Test:[]string Interval:time.Duration Timeout:time.Duration StartPeriod:time.Duration "
        "StartInterval:time.Duration Retries:int"
    ),
    "container.HostConfig": (
        "Binds:[]string ContainerIDFile:string LogConfig:container.LogConfig NetworkMode:container.NetworkMode "
        "PortBindings:nat.PortMap RestartPolicy:container.RestartPolicy AutoRemove:bool VolumeDriver:string "
        "VolumesFrom:[]string ConsoleSize:[2]uint Annotations:map[string]string CapAdd:strslice.StrSlice "
        "CapDrop:strslice.StrSlice CgroupnsMode:container.CgroupnsMode Dns:[]string DnsOptions:[]string "
        "DnsSearch:[]string ExtraHosts:[]string GroupAdd:[]string IpcMode:container.IpcMode "
        "Cgroup:container.CgroupSpec Links:[]string OomScoreAdj:int PidMode:container.PidMode Privileged:bool "
        "PublishAllPorts:bool ReadonlyRootfs:bool SecurityOpt:[]string StorageOpt:map[string]string "
        "Tmpfs:map[string]string UTSMode:container.UTSMode UsernsMode:container.UsernsMode ShmSize:int64 "
        "Sysctls:map[string]string Runtime:string Isolation:container.Isolation +container.Resources "
        "Mounts:[]mount.Mount MaskedPaths:[]string ReadonlyPaths:[]string Init:*bool"
    ),
    "seccomp.Seccomp": (
        "defaultAction:specs.LinuxSeccompAction defaultErrnoRet:*uint architectures:[]specs.Arch "
        "flags:[]specs.LinuxSeccompFlag archMap:[]seccomp.Architecture syscalls:[]*seccomp.Syscall"
    ),
    "seccomp.Architecture": "architecture:specs.Arch subArchitectures:[]specs.Arch",
    "seccomp.Syscall": (
        "name:string names:[]string action:specs.LinuxSeccompAction errnoRet:*uint args:[]specs.LinuxSeccompArg "
        "includes:*seccomp.Filter excludes:*seccomp.Filter"
    ),
    "seccomp.Filter": "caps:[]string arches:[]string minKernel:string",
    "specs.LinuxSeccompArg": "index:uint value:uint64 valueTwo:uint64 op:specs.LinuxSeccompOperator",
    "container.Resources": (
        "CpuShares:int64 Memory:int64 NanoCpus:int64 CgroupParent:string BlkioWeight:uint16 "
        "BlkioWeightDevice:[]*blkiodev.WeightDevice BlkioDeviceReadBps:[]*blkiodev.ThrottleDevice "
        "BlkioDeviceWriteBps:[]*blkiodev.ThrottleDevice BlkioDeviceReadIOps:[]*blkiodev.ThrottleDevice "
        "BlkioDeviceWriteIOps:[]*blkiodev.ThrottleDevice CpuPeriod:int64 CpuQuota:int64 CpuRealtimePeriod:int64 "
        "CpuRealtimeRuntime:int64 CpusetCpus:string CpusetMems:string Devices:[]container.DeviceMapping "
        "DeviceCgroupRules:[]string DeviceRequests:[]container.DeviceRequest MemoryReservation:int64 "
        "MemorySwap:int64 MemorySwappiness:*int64 OomKillDisable:*bool PidsLimit:*int64 Ulimits:[]*units.Ulimit "
        "CpuCount:int64 CpuPercent:int64 IOMaximumIOps:uint64 IOMaximumBandwidth:uint64"
    ),
    "container.UpdateConfig": "+container.Resources RestartPolicy:container.RestartPolicy",
    "container.LogConfig": "Type:string Config:map[string]string",
    "container.RestartPolicy": "Name:container.RestartPolicyMode MaximumRetryCount:int",
    "container.DeviceMapping": "PathOnHost:string PathInContainer:string CgroupPermissions:string",
    "container.DeviceRequest": (
        "Driver:string Count:int DeviceIDs:[]string Capabilities:[][]string Options:map[string]string"
    ),
    "blkiodev.WeightDevice": "Path:string Weight:uint16",
    "blkiodev.ThrottleDevice": "Path:string Rate:uint64",
    "units.Ulimit": "Name:string Hard:int64 Soft:int64",
    "nat.PortBinding": "HostIp:string HostPort:string",
    "mount.Mount": (
        "Type:mount.Type Source:string Target:string ReadOnly:bool Consistency:mount.Consistency "
        "BindOptions:*mount.BindOptions VolumeOptions:*mount.VolumeOptions ImageOptions:*mount.ImageOptions "
        "TmpfsOptions:*mount.TmpfsOptions"
    ),
    "mount.BindOptions": (
        "Propagation:mount.Propagation NonRecursive:bool CreateMountpoint:bool ReadOnlyNonRecursive:bool "
        "ReadOnlyForceRecursive:bool"
    ),
    "mount.VolumeOptions": "NoCopy:bool Labels:map[string]string Subpath:string DriverConfig:*mount.Driver",
    "mount.ImageOptions": "Subpath:string",
    "mount.TmpfsOptions": "SizeBytes:int64 Mode:fs.FileMode Options:[][]string",
    "mount.Driver": "Name:string Options:map[string]string",
    "container.ExecOptions": (
        "User:string Privileged:bool Tty:bool ConsoleSize:*[2]uint AttachStdin:bool AttachStderr:bool "
        "AttachStdout:bool Detach:bool DetachKeys:string Env:[]string WorkingDir:string Cmd:[]string"
    ),
    "container.ExecStartOptions": "Detach:bool Tty:bool ConsoleSize:*[2]uint",
    # -- networks and volumes ----------------------------------------------------------------------------------
    "network.NetworkingConfig": "EndpointsConfig:map[string]*network.EndpointSettings",
    "network.EndpointSettings": (
        "IPAMConfig:*network.EndpointIPAMConfig Links:[]string Aliases:[]string MacAddress:string "
        "DriverOpts:map[string]string GwPriority:int NetworkID:string EndpointID:string Gateway:string "
        "IPAddress:string IPPrefixLen:int IPv6Gateway:string GlobalIPv6Address:string GlobalIPv6PrefixLen:int "
        "DNSNames:[]string"
    ),
    "network.EndpointIPAMConfig": "IPv4Address:string IPv6Address:string LinkLocalIPs:[]string",
    "network.CreateRequest": "+network.CreateOptions Name:string CheckDuplicate:*bool",
    "network.CreateOptions": (
        "Driver:string Scope:string EnableIPv4:*bool EnableIPv6:*bool IPAM:*network.IPAM Internal:bool "
        "Attachable:bool Ingress:bool ConfigOnly:bool ConfigFrom:*network.ConfigReference Options:map[string]string "
        "Labels:map[string]string"
    ),
    "network.ConfigReference": "Network:string",
    "network.IPAM": "Driver:string Options:map[string]string Config:[]network.IPAMConfig",
    "network.IPAMConfig": "Subnet:string IPRange:string Gateway:string AuxiliaryAddresses:map[string]string",
    "network.ConnectOptions": "Container:string EndpointConfig:*network.EndpointSettings",
    "network.DisconnectOptions": "Container:string Force:bool",
    "volume.CreateOptions": "Driver:string DriverOpts:map[string]string Labels:map[string]string Name:string",
    # -- images and registries ---------------------------------------------------------------------------------
    "image.Image": (
        "id:string parent:image.ID comment:string created:*time.Time container:string "
        "container_config:container.Config docker_version:string author:string config:*container.Config "
        "architecture:string variant:string os:string rootfs:*image.RootFS history:[]v1.History "
        "os.version:string os.features:[]string"
    ),
    "image.RootFS": "type:string diff_ids:[]layer.DiffID",
    "v1.History": "created:*time.Time author:string created_by:string comment:string empty_layer:bool",
    "tarexport.manifestItem": "Config:string RepoTags:[]string Layers:[]string Parent:image.ID",
    "v1.Platform": "architecture:string os:string os.version:string os.features:[]string variant:string",
    "v1.Descriptor": (
        "mediaType:string digest:digest.Digest size:int64 urls:[]string annotations:map[string]string "
        "platform:*v1.Platform artifactType:string"
    ),
    "v1.Manifest": (
        "schemaVersion:int mediaType:string config:v1.Descriptor layers:[]v1.Descriptor annotations:map[string]string"
    ),
    "v1.Index": ("schemaVersion:int mediaType:string manifests:[]v1.Descriptor annotations:map[string]string"),
    "registry.AuthConfig": (
        "username:string password:string auth:string email:string serveraddress:string identitytoken:string "
        "registrytoken:string"
    ),
}


@functools.cache
def fields(struct: str) -> dict[str, tuple[str, str]]:
    """Return the fields of a struct by their names in lower case: the name as Go writes it, and the type."""
    by_name: dict[str, tuple[str, str]] = {}
    # The names of types contain spaces only in `struct {}`.
    for word in STRUCTS[struct].replace("struct {}", "struct{}").split():
        if word.startswith("+"):
            by_name |= fields(word[1:])
            continue
        name, _, kind = word.partition(":")
        by_name[name.lower()] = name, kind.replace("struct{}", "struct {}")
    return by_name
