"""A base image with the packages that methods need: a layer for each, built once and shared by all images on it."""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import copy

from reference_submissions import wheels
from reference_submissions.context import KIT, TEMPLATES
from worker.runners.docker import Engine

Say = Callable[[str], object]
REPOSITORY = "mood-packages"  # of the images in between; whoever removes them has them built again
DOCKERFILE = TEMPLATES / "packages.Dockerfile"


def with_packages(engine: Engine, base: str, packages: Sequence[str], *, work: Path, say: Say) -> str:
    """Give an image that is the base and has these packages too: first what every method needs, then one by one.

    `work`: a folder for wheels, the caller's to remove. Raises ValueError where the base will not do, and what
    `wheels` and the engine raise.
    """
    # Pinned ones first: another package that needs torch would bring a version of its own along.
    alone = sorted(set(packages) - set(KIT), key=lambda package: (not wheels.is_pinned(package), package))
    for layer in (KIT, *((package,) for package in alone)):
        base = _with_layer(engine, base, layer, work=work, say=say)
    return base


def _with_layer(engine: Engine, base: str, packages: Sequence[str], *, work: Path, say: Say) -> str:
    platform = wheels.Platform.parse(engine.output_of(base, wheels.PROBE))
    missing = platform.lacks(packages)
    if not missing:
        return base
    tag = f"{REPOSITORY}:{_key(engine, base, missing)}"
    if engine.image_id(tag) is None:
        say(f"fetching {', '.join(missing)} for Python {platform.python} on {platform.machine}")
        build = uuid.uuid4().hex
        context = work / build
        wheels.download(platform, missing, context / "wheels")
        copy(DOCKERFILE, context / "Dockerfile")
        say(f"adding {', '.join(missing)} to the base")
        try:
            engine.build(context, tag=tag, buildargs={"BASE": base, "BUILD_ID": build})
        finally:
            engine.remove_dangling(f"mood.stage={build}")
    return tag


def _key(engine: Engine, base: str, packages: Sequence[str]) -> str:
    """The same base, packages and recipe have the same tag."""
    recipe = [*packages, *wheels.pins(packages).values(), DOCKERFILE.read_text(encoding="utf-8")]
    parts = [str(engine.image_id(base)), *recipe]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
