"""Handing in: from an image's name or an archive to a submission. Shared by `mood submit` and the demo."""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cli.console import complain
from cli.remote import Remote

Progress = Callable[[int, int], None]  # bytes sent, bytes in all


def hand_in(remote: Remote, image: str, task: str, queue: str, progress: Progress) -> Any:
    """Submit an archive's path or a local image's name; give the submission as the server shows it.

    An image that this team has handed in before is not uploaded again.
    """
    path = Path(image)
    if path.is_dir():
        complain(f"{image} is a folder: hand in a local image's name, or an archive written by docker save.")
    if path.is_file():
        if not looks_like_an_archive(path):
            complain(f"{image} is neither a tar nor a gzip file: hand in what `docker save IMAGE -o image.tar` writes.")
        return upload(remote, path, task, queue, progress)
    digest = local_image_id(image)
    known = remote.find("/submissions/known", {"task": task, "queue": queue, "digest": digest})
    if known is not None:
        return known
    with tempfile.TemporaryDirectory(prefix="mood-") as folder:
        archive = save(digest, Path(folder))
        return upload(remote, archive, task, queue, progress)


def looks_like_an_archive(path: Path) -> bool:
    """Begins as gzip or tar do, so that nobody uploads something else by mistake."""
    with path.open("rb") as file:
        head = file.read(512)
    return head.startswith(b"\x1f\x8b") or head[257:262] == b"ustar"


def upload(remote: Remote, archive: Path, task: str, queue: str, progress: Progress) -> Any:
    """Stream an archive to the server."""
    count = archive.stat().st_size
    with archive.open("rb") as file:
        return remote.upload("/submissions", file, count, lambda sent: progress(sent, count), task=task, queue=queue)


def local_image_id(image: str) -> str:
    """Ask the engine here for an image's ID, sha256:…"""
    done = docker("image", "inspect", "--format", "{{.Id}}", image)
    if done.returncode:
        complain(
            f"{image} is neither a file nor an image of the Docker engine here: build it, pull it, or name an archive. "
            f"The engine said: {done.stderr.strip()}"
        )
    return done.stdout.strip()


def save(image: str, folder: Path) -> Path:
    """Write an image to an archive, since the server wants to know its size before it comes."""
    archive = folder / "image.tar"
    done = docker("save", "--output", str(archive), image)
    if done.returncode:
        complain(f"docker save {image} failed: {done.stderr.strip()}")
    return archive


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Call the docker command: a participant needs no Python client for it."""
    try:
        return subprocess.run(["docker", *arguments], check=False, capture_output=True, text=True)
    except FileNotFoundError:
        complain("There is no docker command here. Hand in an archive made by `docker save IMAGE -o FILE` instead.")
