"""Builds an image from a Dockerfile, as Docker's classic builder does: a container for each RUN, an image a step."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.build.copy import Copy, CopyFault
from dockerlab.engine.build.downloads import Downloads
from dockerlab.engine.build.fetch import is_url
from dockerlab.engine.build.step_words import changed_text, output, own_names, quoted_labels, said
from dockerlab.engine.build.substitution import expand
from dockerlab.engine.faults import BadParameter, Fault
from dockerlab.engine.images import commit, references
from dockerlab.engine.images.commit import Step
from dockerlab.engine.images.instructions import CHANGES, Instruction, change, pairs, read
from dockerlab.engine.storage import layer_diff, rootfs

if TYPE_CHECKING:
    from dockerlab.engine.build.context import Context
    from dockerlab.engine.build.dockerfile import Dockerfile, Stage
    from dockerlab.engine.containers.container import Container
    from dockerlab.engine.engine import Engine
    from dockerlab.engine.images.images import Image
    from dockerlab.engine.images.references import Reference

__all__ = ["Builder", "Options", "StepFailed"]

SHORT = 12
SHELL = ["/bin/sh", "-c"]
#: Build arguments that nobody has to declare, and that aren't part of the history.
PREDEFINED = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Record = dict[str, Any]


class StepFailed(Fault):
    """A RUN ended with another code than 0."""

    def __init__(self, text: str, code: int) -> None:
        """Take Docker's words and the code."""
        super().__init__(text)
        self.code = code


@dataclass(slots=True)
class Options:
    """What a client asks of a build."""

    tags: list[Reference] = field(default_factory=list)
    arguments: dict[str, str | None] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    host: Record = field(default_factory=dict)  #: HostConfig of the containers that run the steps
    target: str = ""
    cache: bool = True
    cache_from: list[str] = field(default_factory=list)
    remove: bool = True
    always_remove: bool = False


class Builder:
    """One build."""

    def __init__(self, engine: Engine, file: Dockerfile, context: Context, options: Options) -> None:
        """Prepare it. Raises BadParameter for a stage that is not there."""
        self.engine, self.file, self.context, self.options = engine, file, context, options
        self.stages = file.until(options.target)
        self.images: list[Image | None] = []  #: what each stage ended with
        self.used: set[str] = set()  #: build arguments that somebody wanted
        self.defaults = self._first_arguments()
        if options.labels:
            self.stages[-1].steps.append(read(f"LABEL {quoted_labels(options.labels)}"))
        self.count = len(self.file.arguments) + sum(1 + len(stage.steps) for stage in self.stages)
        self.number = 0
        # of the stage that is being built
        self.image: Image | None = None
        self.config: Record = {}
        self.arguments: dict[str, str] = {}
        self.hidden_arguments: dict[str, str] = {}
        self.has_command = False
        self.cache = options.cache
        self.known = self._chains(options.cache_from)

    def _chains(self, names: list[str]) -> set[str]:
        """Give the images that others, which were named as a cache, are made from."""
        found: set[str] = set()
        for image in filter(None, map(self.engine.images.find, names)):
            identity = image.id
            while identity and identity not in found:
                found.add(identity)
                parent = self.engine.images.all.get(identity)
                identity = parent.parent if parent else ""
        return found

    def _first_arguments(self) -> dict[str, str]:
        """Read the ARGs before the first FROM: their names are for the FROMs, and defaults for ARGs without one."""
        found: dict[str, str] = {}
        for instruction in self.file.arguments:
            for name, value in self._declared(instruction, found).items():
                found[name] = value
        return found

    def _declared(self, instruction: Instruction, values: dict[str, str]) -> dict[str, str]:
        """Read the names of an ARG, with what was asked for, or else the default."""
        found = {}
        for word in instruction.words():
            name, equals, default = word.partition("=")
            self.used.add(name)
            asked = self.options.arguments.get(name)
            if asked is not None:
                found[name] = asked
            elif equals:
                found[name] = expand(default, {**values, **found}, self.file.escape)
            elif name in self.file_defaults():
                found[name] = self.file_defaults()[name]
        return found

    def file_defaults(self) -> dict[str, str]:
        """Give the values of the ARGs before the first FROM."""
        return getattr(self, "defaults", {})

    async def run(self) -> AsyncIterator[Record]:
        """Build; give what is told of it, line by line. Raises Fault."""
        for instruction in self.file.arguments:
            for line in self._announced(instruction):
                yield line
        for stage in self.stages:
            async for line in self._stage(stage):
                yield line
            self.images.append(self.image)
            if self.image is not None:
                yield {"aux": {"ID": self.image.id}}
        left = sorted(set(self.options.arguments) - self.used - own_names(PREDEFINED))
        if left:
            yield said(f"[Warning] One or more build-args [{' '.join(left)}] were not consumed\n")
        if self.image is None:
            raise BadParameter("No image was generated. Is your Dockerfile empty?")
        yield said(f"Successfully built {self.image.hex[:SHORT]}\n")
        for reference in self.options.tags:
            self.engine.images.tag(self.image, reference)
            yield said(f"Successfully tagged {reference}\n")

    # -- stages and steps --------------------------------------------------------------------------------------

    async def _stage(self, stage: Stage) -> AsyncIterator[Record]:
        for line in self._announced(stage.source):
            yield line
        self._begin(stage)
        triggers = self.config.pop("OnBuild", None) or []
        if triggers:
            more = "s" if len(triggers) > 1 else ""
            yield said(f"# Executing {len(triggers)} build trigger{more}\n")
            for text in triggers:
                async for line in self._step(read(text)):
                    yield line
        yield self._arrow()
        for instruction in stage.steps:
            for line in self._announced(instruction):
                yield line
            async for line in self._step(instruction):
                yield line
            yield self._arrow()

    def _announced(self, instruction: Instruction) -> list[Record]:
        self.number += 1
        return [said(f"Step {self.number}/{self.count} : {instruction.original}"), said("\n")]

    def _arrow(self) -> Record:
        return said(f" ---> {self.image.hex[:SHORT] if self.image else ''}\n")

    def _begin(self, stage: Stage) -> None:
        """Find what a stage begins with. Raises Fault."""
        name = expand(stage.base, self.defaults, self.file.escape)
        if not name:
            raise BadParameter(f"base name ({stage.base}) should not be blank")
        self.image, self.config, self.has_command = None, {"Env": [PATH]}, False
        self.arguments, self.hidden_arguments = {}, {}
        self.cache = self.options.cache
        for number, earlier in enumerate(self.stages[: len(self.images)]):
            if earlier.name and earlier.name == name.lower():
                self.image = self.images[number]
        if self.image is None and name != "scratch":
            self.image = self._base(name)
        if self.image is not None:
            self.config = dict(self.image.config)

    def _base(self, name: str) -> Image:
        image = self.engine.images.find(name)
        if image is None:
            reference = references.parse(name)
            raise Fault(
                f"pull access denied for {reference.repository}, repository does not exist or may require "
                "'docker login': denied: requested access to the resource is denied"
            )
        return image

    async def _step(self, instruction: Instruction) -> AsyncIterator[Record]:
        values = {**self.arguments, **_environment(self.config)}
        instruction.plain = lambda word: expand(word, values, self.file.escape)
        if instruction.word == "RUN":
            async for line in self._run(instruction):
                yield line
        elif instruction.word in ("COPY", "ADD"):
            async for line in self._copy(instruction):
                yield line
        else:
            text = self._change(instruction)
            async for line in self._keep(text):
                yield line

    def _change(self, instruction: Instruction) -> str:
        """Change the configuration, and give the words for the history."""
        if instruction.word == "ARG":
            for name, value in self._declared(instruction, self.arguments).items():
                self.arguments[name] = value
            return f"#(nop)  ARG {' '.join(map(instruction.plain, instruction.words()))}"
        if instruction.word == "MAINTAINER":
            self.config["Author"] = instruction.rest
            return f"#(nop)  MAINTAINER {instruction.rest}"
        if instruction.word not in (*CHANGES, "SHELL"):
            raise BadParameter(f"{instruction.word} is not known")
        instruction.keeps_command = self.has_command
        change(self.config, instruction)
        self.has_command |= instruction.word == "CMD"
        named = pairs(instruction) if instruction.word in ("ENV", "LABEL") else {}
        return f"#(nop) {changed_text(instruction, self.config, named)}"

    # -- keeping what a step made ------------------------------------------------------------------------------

    def _cached(self, command: list[str]) -> Image | None:
        """Find an image that this step has made before from the same parent."""
        if not self.cache:
            return None
        parent = self.image.id if self.image else ""
        with self.engine.images.lock:
            found = [
                image
                for image in self.engine.images.all.values()
                if image.parent == parent
                and (not self.options.cache_from or image.id in self.known)
                and (image.document.get("container_config") or {}).get("Cmd") == command
                and (parent or not image.history[:-1])
            ]
        return max(found, key=lambda image: image.created) if found else None

    def _take(self, image: Image) -> None:
        self.image = image
        author = self.config.get("Author")
        self.config = {**image.config, **({"Author": author} if author else {})}

    async def _keep(self, text: str) -> AsyncIterator[Record]:
        """Keep a change of the configuration alone."""
        command = [*(self.config.get("Shell") or SHELL), text]
        if (known := self._cached(command)) is not None:
            yield said(" ---> Using cache\n")
            self._take(known)
            return
        self.cache = False
        identity = secrets.token_hex(SHORT // 2)
        yield said(f" ---> Running in {identity}\n")
        await self._commit(None, command)
        if self.options.remove:
            yield said(f" ---> Removed intermediate container {identity}\n")

    async def _commit(self, layer: Any, command: list[str], container: str = "") -> None:
        config = {key: value for key, value in self.config.items() if key != "Author"}
        step = Step(
            " ".join(command),
            author=self.config.get("Author", ""),
            container=container,
            container_config={**config, "Cmd": command},
        )
        made = await asyncio.to_thread(commit.commit, self.engine.images, self.image, layer, config, step)
        self._take(made)

    # -- COPY and ADD ------------------------------------------------------------------------------------------

    async def _copy(self, instruction: Instruction) -> AsyncIterator[Record]:
        words = [instruction.plain(word) for word in instruction.words()]
        urls = [word for word in words[:-1] if is_url(word)] if "from" not in instruction.flags else []
        if urls and instruction.word == "COPY":
            raise CopyFault("COPY failed: source can't be a URL for COPY")
        with Downloads(self.context.root.parent) as fetched:
            for url in urls:
                async for line in fetched.get(url):
                    yield line
            copy = await asyncio.to_thread(self._prepared, instruction, words, fetched)
            async for line in self._copied(instruction, copy):
                yield line

    async def _copied(self, instruction: Instruction, copy: Copy) -> AsyncIterator[Record]:
        target = instruction.plain(instruction.words()[-1])
        digest = await asyncio.to_thread(copy.digest)
        command = [*(self.config.get("Shell") or SHELL), f"#(nop) {instruction.word} {digest} in {target} "]
        if (known := self._cached(command)) is not None:
            yield said(" ---> Using cache\n")
            self._take(known)
            return
        self.cache = False
        await self._commit(copy.layer(), command)

    def _prepared(self, instruction: Instruction, words: list[str], fetched: Downloads) -> Copy:
        images = self.engine.images
        tree = str(images.rootfs(self.image) if self.image else images.trees.get([]))
        target = words[-1] if words[-1].startswith("/") else f"{self.config.get('WorkingDir') or '/'}/{words[-1]}"
        if words[-1] in (".", "./") or words[-1].endswith(("/.", "/..")):
            target += "/"
        if self.context.lone and "from" not in instruction.flags and not fetched.files:
            raise CopyFault(f"{instruction.word} failed: missing build context")
        copy = Copy(instruction.word, str(self.context.root), target, tree, ignored=self.context.ignored)
        if source := instruction.flags.get("from"):
            copy.root, copy.ignored = str(images.rootfs(self._source(source))), lambda path: False
            copy.keeps_owner = True
        if owner := instruction.flags.get("chown"):
            try:
                copy.owner, copy.keeps_owner = rootfs.user_of(Path(tree), instruction.plain(owner))[0], False
            except LookupError as error:
                raise CopyFault(str(error)) from None
        copy.find(words[:-1], fetched.files)
        return copy

    def _source(self, name: str) -> Image:
        for number, image in enumerate(self.images):
            if image is not None and (self.stages[number].name == name.lower() or str(number) == name):
                return image
        if name.isdigit():
            raise BadParameter(f"invalid from flag value {name}: invalid stage index")
        return self._base(name)

    # -- RUN ---------------------------------------------------------------------------------------------------

    async def _run(self, instruction: Instruction) -> AsyncIterator[Record]:
        shell = self.config.get("Shell") or SHELL
        program = instruction.listed if instruction.listed is not None else [*shell, *filter(None, [instruction.rest])]
        known_names = _environment(self.config)
        given = {name: value for name, value in sorted(self.arguments.items()) if name not in known_names}
        extra = [f"{name}={value}" for name, value in given.items()]
        command = [f"|{len(extra)}", *extra, *program] if extra else program
        if (known := self._cached(command)) is not None:
            yield said(" ---> Using cache\n")
            self._take(known)
            return
        self.cache = False
        container = await self._container(program, extra)
        try:
            yield said(f" ---> Running in {container.id[:SHORT]}\n")
            async for text in output(container):
                yield said(text)
            code = (await container.wait("not-running"))["StatusCode"]
            if code:
                words = " ".join(program)
                raise StepFailed(f"The command '{words}' returned a non-zero code: {code}", code)
            hidden = list(self.config.get("Volumes") or {})
            before = self.engine.images.trees.get(container.record["Layers"])
            await self._commit(layer_diff.layer(before, container.root, hidden), command, container.id)
        except BaseException:
            if self.options.always_remove or (not container.gone and container.running is not None):
                container.tasks.begin(container.remove(force=True, volumes=True))
            raise
        if self.options.remove:
            await container.remove(force=True, volumes=True)
            yield said(f" ---> Removed intermediate container {container.id[:SHORT]}\n")

    async def _container(self, program: list[str], extra: list[str]) -> Container:
        proxies = [
            f"{name}={value}"
            for name, value in self.options.arguments.items()
            if name.upper() in PREDEFINED and value is not None
        ]
        body = {key: value for key, value in self.config.items() if key not in ("Author", "Cmd", "Entrypoint")}
        body |= {
            "Env": [*(self.config.get("Env") or []), *proxies, *extra],
            "Entrypoint": program,
            "Healthcheck": {"Test": ["NONE"]},
            "Image": self.image.id if self.image else "",
            "HostConfig": self.options.host,
        }
        container, _ = await self.engine.containers.create("", body)
        try:
            await container.start()
        except Fault:
            await container.remove(force=True, volumes=True)
            raise
        return container


def _environment(config: Record) -> dict[str, str]:
    return {name: value for name, _, value in (entry.partition("=") for entry in config.get("Env") or [])}
