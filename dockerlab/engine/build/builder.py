"""Builds an image from a Dockerfile as Docker's classic builder does: one image per step, a container for each RUN."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dockerlab.engine.build.arguments import BuildArguments
from dockerlab.engine.build.copy import Copy, CopyFault
from dockerlab.engine.build.fetch import Downloads, is_url
from dockerlab.engine.build.history_text import history_text
from dockerlab.engine.build.output import container_output, stream_line
from dockerlab.engine.build.substitution import expand, quote
from dockerlab.engine.common.cancellable_threads import run_cancellable
from dockerlab.engine.faults import BadParameter, Fault
from dockerlab.engine.images import references
from dockerlab.engine.images.base_image import DEFAULT_PATH
from dockerlab.engine.images.commit import Step, commit_step
from dockerlab.engine.images.instructions import (
    CHANGE_KEYWORDS,
    Instruction,
    apply_instruction,
    name_value_pairs,
    parse_instruction,
    shell_of,
)
from dockerlab.engine.images.registry import access_denied
from dockerlab.engine.storage import layer_diff, users

if TYPE_CHECKING:
    from dockerlab.engine.build.context import Context
    from dockerlab.engine.build.dockerfile import Dockerfile, Stage
    from dockerlab.engine.containers.container import Container
    from dockerlab.engine.engine import Engine
    from dockerlab.engine.images.images import Image
    from dockerlab.engine.images.references import Reference

__all__ = ["Builder", "Options", "StepFailed"]

SHORT_ID = 12
Record = dict[str, Any]


class StepFailed(Fault):
    """A RUN whose command returned a non-zero exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class Options:
    """The parameters of a build request."""

    tags: list[Reference] = field(default_factory=list)
    arguments: dict[str, str | None] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    host_config: Record = field(default_factory=dict)  #: of the containers that run the steps
    target: str = ""
    cache: bool = True
    cache_from: list[str] = field(default_factory=list)
    remove: bool = True
    always_remove: bool = False


class Builder:
    def __init__(self, engine: Engine, dockerfile: Dockerfile, context: Context, options: Options) -> None:
        """Prepare the build. Raises BadParameter if the target stage does not exist."""
        self.engine, self.dockerfile, self.context, self.options = engine, dockerfile, context, options
        self.stages = dockerfile.stages_until(options.target)
        self.stage_images: list[Image | None] = []  #: the final image of each finished stage
        self.build_arguments = BuildArguments(options.arguments, dockerfile.arguments, dockerfile.escape)
        if options.labels:
            labels = " ".join(f"{quote(name)}={quote(value)}" for name, value in sorted(options.labels.items()))
            self.stages[-1].steps.append(parse_instruction(f"LABEL {labels}"))
        self.step_count = len(dockerfile.arguments) + sum(1 + len(stage.steps) for stage in self.stages)
        self.step_number = 0
        self.cache_images = self._with_ancestors(options.cache_from)
        # The rest is the state of the current stage.
        self.image: Image | None = None
        self.config: Record = {}
        self.arguments: dict[str, str] = {}
        self.has_command = False
        self.use_cache = options.cache

    def _with_ancestors(self, names: Iterable[str]) -> set[str]:
        """Return the ids of the images with these names, and of the images that they were built from."""
        ids: set[str] = set()
        for image in filter(None, map(self.engine.images.find, names)):
            image_id = image.id
            while image_id and image_id not in ids:
                ids.add(image_id)
                parent = self.engine.images.all.get(image_id)
                image_id = parent.parent if parent else ""
        return ids

    async def run(self) -> AsyncIterator[Record]:
        """Build the image; yield the lines of the response. Raises Fault."""
        for instruction in self.dockerfile.arguments:
            for line in self._step_header(instruction):
                yield line
        for stage in self.stages:
            async for line in self._run_stage(stage):
                yield line
            self.stage_images.append(self.image)
            if self.image is not None:
                yield {"aux": {"ID": self.image.id}}
        if unused := self.build_arguments.unused():
            yield stream_line(f"[Warning] One or more build-args [{' '.join(unused)}] were not consumed\n")
        if self.image is None:
            raise BadParameter("No image was generated. Is your Dockerfile empty?")
        yield stream_line(f"Successfully built {self.image.short_id}\n")
        for reference in self.options.tags:
            self.engine.images.tag(self.image, reference)
            yield stream_line(f"Successfully tagged {reference}\n")

    # -- stages and steps --------------------------------------------------------------------------------------

    async def _run_stage(self, stage: Stage) -> AsyncIterator[Record]:
        for line in self._step_header(stage.source):
            yield line
        self._start_stage(stage)
        triggers = self.config.pop("OnBuild", None) or []
        if triggers:
            plural = "s" if len(triggers) > 1 else ""
            yield stream_line(f"# Executing {len(triggers)} build trigger{plural}\n")
            for text in triggers:
                async for line in self._run_step(parse_instruction(text)):
                    yield line
        yield self._step_footer()
        for instruction in stage.steps:
            for line in self._step_header(instruction):
                yield line
            async for line in self._run_step(instruction):
                yield line
            yield self._step_footer()

    def _step_header(self, instruction: Instruction) -> list[Record]:
        self.step_number += 1
        header = f"Step {self.step_number}/{self.step_count} : {instruction.original}"
        return [stream_line(header), stream_line("\n")]

    def _step_footer(self) -> Record:
        return stream_line(f" ---> {self.image.short_id if self.image else ''}\n")

    def _start_stage(self, stage: Stage) -> None:
        """Reset the state, and find the image that a stage is based on. Raises Fault."""
        name = expand(stage.base, self.build_arguments.defaults, self.dockerfile.escape)
        if not name:
            raise BadParameter(f"base name ({stage.base}) should not be blank")
        self.image, self.config, self.has_command = None, {"Env": [f"PATH={DEFAULT_PATH}"]}, False
        self.arguments = {}
        self.use_cache = self.options.cache
        for number, earlier in enumerate(self.stages[: len(self.stage_images)]):
            if earlier.name and earlier.name == name.lower():
                self.image = self.stage_images[number]
        if self.image is None and name != "scratch":
            self.image = self._find_image(name)
        if self.image is not None:
            self.config = dict(self.image.config)

    def _find_image(self, name: str) -> Image:
        image = self.engine.images.find(name)
        if image is None:
            raise Fault(access_denied(references.parse(name)))
        return image

    async def _run_step(self, instruction: Instruction) -> AsyncIterator[Record]:
        variables = {**self.arguments, **_environment(self.config)}
        instruction.expand = lambda word: expand(word, variables, self.dockerfile.escape)
        if instruction.keyword == "RUN":
            lines = self._run(instruction)
        elif instruction.keyword in ("COPY", "ADD"):
            lines = self._copy(instruction)
        else:
            lines = self._commit_config(self._change_config(instruction))
        async for line in lines:
            yield line

    def _change_config(self, instruction: Instruction) -> str:
        """Apply an instruction to the configuration, and return its text for the history."""
        if instruction.keyword == "ARG":
            self.arguments |= self.build_arguments.declare(instruction, self.arguments)
            return f"#(nop)  ARG {' '.join(map(instruction.expand, instruction.words()))}"
        if instruction.keyword == "MAINTAINER":
            self.config["Author"] = instruction.body
            return f"#(nop)  MAINTAINER {instruction.body}"
        if instruction.keyword not in (*CHANGE_KEYWORDS, "SHELL"):
            raise BadParameter(f"{instruction.keyword} is not known")
        instruction.keeps_command = self.has_command
        apply_instruction(self.config, instruction)
        self.has_command |= instruction.keyword == "CMD"
        pairs = name_value_pairs(instruction) if instruction.keyword in ("ENV", "LABEL") else {}
        return f"#(nop) {history_text(instruction, self.config, pairs)}"

    # -- the image of a step -----------------------------------------------------------------------------------

    def _find_cached(self, command: list[str]) -> Image | None:
        """Return the newest image that this step made from the same parent in an earlier build.

        An image from elsewhere may only claim to be the result of this step, so the client has to name it.
        """
        if not self.use_cache:
            return None
        parent = self.image.id if self.image else ""
        with self.engine.images.lock:
            candidates = [
                image
                for image in self.engine.images.all.values()
                if image.parent == parent
                and (image.id in self.cache_images if self.options.cache_from else image.built_here)
                and (image.document.get("container_config") or {}).get("Cmd") == command
                and (parent or not image.history[:-1])
            ]
        return max(candidates, key=lambda image: image.created) if candidates else None

    def _use_image(self, image: Image) -> None:
        self.image = image
        author = self.config.get("Author")
        self.config = {**image.config, **({"Author": author} if author else {})}

    def _use_cached(self, command: list[str]) -> bool:
        """Continue from a cached image, if there is one; the rest of the stage then misses the cache."""
        image = self._find_cached(command)
        if image is None:
            self.use_cache = False
            return False
        self._use_image(image)
        return True

    async def _commit_config(self, text: str) -> AsyncIterator[Record]:
        """Make an image of a change to the configuration alone."""
        command = [*shell_of(self.config), text]
        if self._use_cached(command):
            yield stream_line(" ---> Using cache\n")
            return
        # Docker creates a container for such a step, too, and shows its id.
        container_id = secrets.token_hex(SHORT_ID // 2)
        yield stream_line(f" ---> Running in {container_id}\n")
        await self._commit(None, command)
        if self.options.remove:
            yield stream_line(f" ---> Removed intermediate container {container_id}\n")

    async def _commit(self, layer: Iterable[bytes] | None, command: list[str], container_id: str = "") -> None:
        config = {key: value for key, value in self.config.items() if key != "Author"}
        step = Step(
            " ".join(command),
            author=self.config.get("Author", ""),
            container=container_id,
            container_config={**config, "Cmd": command},
        )
        image = await run_cancellable(commit_step, self.engine.images, self.image, layer, config, step)
        self._use_image(image)

    # -- COPY and ADD ------------------------------------------------------------------------------------------

    async def _copy(self, instruction: Instruction) -> AsyncIterator[Record]:
        words = [instruction.expand(word) for word in instruction.words()]
        urls = [word for word in words[:-1] if is_url(word)] if "from" not in instruction.flags else []
        if urls and instruction.keyword == "COPY":
            raise CopyFault("COPY failed: source can't be a URL for COPY")
        with Downloads(self.context.root.parent) as downloads:
            for url in urls:
                async for line in downloads.fetch(url):
                    yield line
            copy = await run_cancellable(self._prepare_copy, instruction, words, downloads)
            digest = await run_cancellable(copy.digest)
            command = [*shell_of(self.config), f"#(nop) {instruction.keyword} {digest} in {words[-1]} "]
            if self._use_cached(command):
                yield stream_line(" ---> Using cache\n")
                return
            await self._commit(copy.layer(), command)

    def _prepare_copy(self, instruction: Instruction, words: list[str], downloads: Downloads) -> Copy:
        images = self.engine.images
        image_root = str(images.rootfs(self.image) if self.image else images.trees.get([]))
        target = words[-1] if words[-1].startswith("/") else f"{self.config.get('WorkingDir') or '/'}/{words[-1]}"
        if words[-1] in (".", "./") or words[-1].endswith(("/.", "/..")):
            target += "/"
        if self.context.only_dockerfile and "from" not in instruction.flags and not downloads.files:
            raise CopyFault(f"{instruction.keyword} failed: missing build context")
        is_ignored = self.context.ignore_rules.excludes
        copy = Copy(instruction.keyword, str(self.context.root), target, image_root, is_ignored=is_ignored)
        if source := instruction.flags.get("from"):
            copy.source_root, copy.is_ignored = str(images.rootfs(self._find_source(source))), lambda path: False
            copy.keeps_owner = True
        if owner := instruction.flags.get("chown"):
            try:
                copy.owner = users.user_ids(Path(image_root), instruction.expand(owner))[0]
            except LookupError as error:
                raise CopyFault(str(error)) from None
            copy.keeps_owner = False
        copy.find_sources(words[:-1], downloads.files)
        return copy

    def _find_source(self, name: str) -> Image:
        """Return the image that `COPY --from` names: a stage by name or number, or another image."""
        for number, image in enumerate(self.stage_images):
            if image is not None and (self.stages[number].name == name.lower() or str(number) == name):
                return image
        if name.isdigit():
            raise BadParameter(f"invalid from flag value {name}: invalid stage index")
        return self._find_image(name)

    # -- RUN ---------------------------------------------------------------------------------------------------

    async def _run(self, instruction: Instruction) -> AsyncIterator[Record]:
        program = instruction.json_words
        if program is None:
            program = [*shell_of(self.config), *filter(None, [instruction.body])]
        variables = _environment(self.config)
        arguments = [f"{name}={value}" for name, value in sorted(self.arguments.items()) if name not in variables]
        command = [f"|{len(arguments)}", *arguments, *program] if arguments else program
        if self._use_cached(command):
            yield stream_line(" ---> Using cache\n")
            return
        container = await self._start_container(program, arguments)
        try:
            yield stream_line(f" ---> Running in {container.id[:SHORT_ID]}\n")
            async for text in container_output(container):
                yield stream_line(text)
            code = (await container.wait("not-running"))["StatusCode"]
            if code:
                raise StepFailed(f"The command '{' '.join(program)}' returned a non-zero code: {code}", code)
            volumes = list(self.config.get("Volumes") or {})
            before = self.engine.images.trees.get(container.record.layers)
            await self._commit(
                layer_diff.layer_of_changes(before, container.record.root, volumes), command, container.id
            )
        except BaseException:
            if self.options.always_remove or (not container.is_removed and container.record.is_running):
                container.tasks.begin(container.remove(force=True, volumes=True))
            raise
        if self.options.remove:
            await container.remove(force=True, volumes=True)
            yield stream_line(f" ---> Removed intermediate container {container.id[:SHORT_ID]}\n")

    async def _start_container(self, program: list[str], arguments: list[str]) -> Container:
        body = {key: value for key, value in self.config.items() if key not in ("Author", "Cmd", "Entrypoint")}
        body |= {
            "Env": [*(self.config.get("Env") or []), *self.build_arguments.proxy_environment(), *arguments],
            "Entrypoint": program,
            "Healthcheck": {"Test": ["NONE"]},
            "Image": self.image.id if self.image else "",
            "HostConfig": self.options.host_config,
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
