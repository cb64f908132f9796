"""Images on this host: fetched once, compared before they run, taken away again when others need the room.

An image that jobs loaded carries a tag of ours, whose time the engine keeps: that is all the state there is.
Images that the host had before carry none, and are never removed.
"""

import logging
from pathlib import Path

from server.protocol import JobSpec
from worker.archives import BadArchive, untagged
from worker.client import Client
from worker.runners.docker import Engine, ImageFacts

log = logging.getLogger(__name__)

REPOSITORY = "mood-job"


class ImageFault(Exception):  # noqa: N818  fault is the word for ours
    """The image cannot be had as the server described it. Ours: the server accepted it."""


class Images:
    """The images of one engine."""

    def __init__(self, engine: Engine, *, keep: int) -> None:
        self.engine = engine
        self.keep = keep

    def ready(self, spec: JobSpec, client: Client, folder: Path) -> ImageFacts:
        """Give a job's image, loaded and compared. `folder` takes the archive meanwhile."""
        facts = self.engine.image(spec.image)
        if facts is None:
            self._make_room()
            facts = self._fetch(spec, client, folder)
        elif not any(tag.startswith(f"{REPOSITORY}:") for tag in facts.tags):
            return facts  # the host's own
        self.engine.tag(facts.id, REPOSITORY, _tag(facts.id))
        return facts

    def _fetch(self, spec: JobSpec, client: Client, folder: Path) -> ImageFacts:
        archive = folder / f"image-{spec.archive_sha256}.tar"
        try:
            found = client.fetch_archive(spec.job, spec.token, archive)
            if found != spec.archive_sha256:
                raise ImageFault(f"the archive of job {spec.job} has sha256 {found}, expected {spec.archive_sha256}")
            return load_archive(self.engine, archive, expected=spec.image)
        finally:
            archive.unlink(missing_ok=True)

    def _make_room(self) -> None:
        """Remove the images of jobs that were used longest ago, so that one more fits."""
        loaded = sorted(self.engine.images(REPOSITORY), key=lambda facts: facts.last_tagged_at)
        for facts in loaded[: max(0, len(loaded) - self.keep + 1)]:
            log.info("image removed to make room", extra={"image": facts.id})
            self.engine.remove_image(f"{REPOSITORY}:{_tag(facts.id)}")


def load_archive(engine: Engine, archive: Path, *, expected: str) -> ImageFacts:
    """Load an archive without its tags; the engine must then have the expected image. Raises `ImageFault`."""
    try:
        engine.load(untagged(archive))
    except BadArchive as error:
        raise ImageFault(f"archive {archive.name}: {error}") from error
    facts = engine.image(expected)
    if facts is None or facts.id != expected:
        raise ImageFault(f"archive {archive.name} was loaded, but the engine has no image {expected}")
    return facts


def _tag(image: str) -> str:
    return image.removeprefix("sha256:")[:32]
