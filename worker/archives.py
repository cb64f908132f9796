"""What of a stranger's image archive reaches the engine: one image's config and layers, and no name.

An archive's tags would move the host's own tags of the same name, and its other members could stand in for
the manifest (a link, a second copy, a path through a link). So the archive is not passed on: a new one is
written from the files its manifest names.
"""

import hashlib
import json
import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MANIFEST_BYTES = 2**20  # a manifest of a thousand layers has some 80 kB
CONFIG_BYTES = 2**24  # far more than any image has
LINKS_MAX = 8  # a layer that stands twice is a link to its twin
BLOCK_BYTES = 2**20


class BadArchive(Exception):  # noqa: N818  it is an answer: the server accepted what the engine cannot take
    """The archive does not hold exactly one image."""


@dataclass(frozen=True, kw_only=True)
class Members:
    """What an archive's manifest asks for, as names of regular members."""

    config: str
    layers: tuple[str, ...]

    @property
    def needed(self) -> frozenset[str]:
        """Every member that is passed on."""
        return frozenset({self.config, *self.layers})

    def manifest(self) -> bytes:
        """Write a manifest that names no tag."""
        entry = {"Config": self.config, "RepoTags": None, "Layers": list(self.layers)}
        return json.dumps([entry]).encode()


def untagged(archive: Path) -> Iterator[bytes]:
    """Give the blocks of a `docker save` archive (plain or gzip) with one image and without its tags.

    Raises `BadArchive`.
    """
    members = read_members(archive)
    manifest = members.manifest()
    yield _header("manifest.json", len(manifest))
    yield manifest + _padding(len(manifest))
    written: set[str] = set()
    with tarfile.open(archive, "r|*") as source:
        for member in source:
            name = posixpath.normpath(member.name)
            if not member.isreg() or name not in members.needed:
                continue
            if name in written:
                raise BadArchive(f"{name} stands in it twice")
            written.add(name)
            yield _header(name, member.size)
            content = source.extractfile(member)
            while content and (block := content.read(BLOCK_BYTES)):
                yield block
            yield _padding(member.size)
    yield bytes(2 * tarfile.BLOCKSIZE)


def image_digest(archive: Path) -> str:
    """Give the digest of an archive's one image: the sha256 of its config. Raises `BadArchive`."""
    config = read_members(archive).config
    with tarfile.open(archive, "r:*") as tar:
        for member in tar:
            if posixpath.normpath(member.name) == config and (content := tar.extractfile(member)):
                return f"sha256:{hashlib.sha256(content.read(CONFIG_BYTES)).hexdigest()}"
    raise BadArchive(f"{config} cannot be read")


def read_members(archive: Path) -> Members:
    """Find the one image of an archive. Raises `BadArchive`."""
    links: dict[str, str] = {}
    regular: set[str] = set()
    manifest: bytes | None = None
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                name = posixpath.normpath(member.name)
                if member.isreg():
                    regular.add(name)
                    if name == "manifest.json":
                        manifest = _small(tar, member)
                elif member.issym():
                    links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
                elif member.islnk():
                    links[name] = posixpath.normpath(member.linkname)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise BadArchive("it cannot be read as a tar, plain or gzip") from error
    if manifest is None:
        raise BadArchive("it has no manifest.json")
    return _named(manifest, regular, links)


def _small(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > MANIFEST_BYTES:
        raise BadArchive(f"its manifest.json has {member.size} bytes, allowed are {MANIFEST_BYTES}")
    content = tar.extractfile(member)
    return content.read() if content else b""


def _named(manifest: bytes, regular: set[str], links: dict[str, str]) -> Members:
    try:
        entries = json.loads(manifest)
        (entry,) = entries
        config, layers = str(entry["Config"]), [str(layer) for layer in entry["Layers"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadArchive(f"its manifest.json does not describe exactly one image: {error}") from error
    return Members(
        config=_resolved(config, regular, links),
        layers=tuple(_resolved(layer, regular, links) for layer in layers),
    )


def _resolved(name: str, regular: set[str], links: dict[str, str]) -> str:
    found = posixpath.normpath(name)
    for _ in range(LINKS_MAX):
        if found in regular:
            break
        found = links.get(found, found)
    if found not in regular or found == "manifest.json" or found.startswith(("/", "../")):
        raise BadArchive(f"its manifest.json names {name}, which is not a file of the archive")
    return found


def _header(name: str, size: int) -> bytes:
    header = tarfile.TarInfo(name)
    header.size = size
    return header.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
