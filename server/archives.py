"""Checks an uploaded image archive (docker save, plain or gzip) before it is queued.

    python -m server.archives PATH --wanted JSON

runs in a child process with limits, reads the archive once, and prints one JSON object. The archive is a
stranger's: nothing in it is believed, nothing of it is unpacked.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from server.layers import Budget, Layer, clean, is_regular
from server.protocol import FailureCode
from server.tars import (
    CHUNK,
    GZIP_MAGIC,
    ZSTD_MAGIC,
    Content,
    Damaged,
    Gunzip,
    Kind,
    Member,
    Peeked,
    Source,
    Tapped,
    TooMuch,
    exactly,
    inflated,
    is_tar,
    members,
)

SCRIPTS = "workspace"  # the folder of the entry scripts, from the image's root
JSON_MAX = 4 * 2**20  # bytes of one JSON file: a config with a thousand layers has 0.3 MB
JSON_TOTAL_MAX = 32 * 2**20  # bytes of all of them
MEMBERS_MAX = 20_000  # files in the archive itself: a layer has three
VOLUMES_MAX = 8  # some base images declare one
LAYERS_MAX = 512  # engines take 127
MEMORY_MAX = 2 * 2**30  # bytes of address space of the child
CPU_MAX_S = 1800
BEAT_S = 30.0  # how often the parent says that the child is at it


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What an image must be."""

    architecture: str
    scripts: tuple[str, ...]  # file names that must be in /workspace
    others: tuple[str, ...] = ()  # file names that are looked for too: the other task's
    max_archive_bytes: int
    max_unpacked_bytes: int


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What an accepted image is."""

    digest: str  # sha256:… of its config blob
    architecture: str
    unpacked_bytes: int
    scripts: tuple[str, ...]  # of those wanted, and the others, the ones that are there


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why an archive is refused."""

    code: FailureCode
    message: str


class Bad(Exception):  # noqa: N818  an answer about their file
    """The archive is refused."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(code=code, message=message)


def check_in_child(path: Path, wanted: Wanted, *, beat: Callable[[], None]) -> Facts | Refusal:
    """Check in a child process; `beat` is called now and then while it works.

    A child that its limits end is an answer about the archive; anything else that goes wrong raises.
    """
    command = [sys.executable, "-m", "server.archives", str(path.absolute()), "--wanted", json.dumps(asdict(wanted))]
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=root, env={}
    ) as child:
        try:
            out, err = wait(child, beat)
        finally:
            child.kill()  # does nothing where it has ended
    if child.returncode != 0:
        if child.returncode < 0 or b"MemoryError" in err:
            return Refusal(
                code=FailureCode.ARCHIVE_FORMAT,
                message="reading the archive took more memory or time than any image archive needs",
            )
        raise RuntimeError(f"the archive check ended with {child.returncode}: {err.decode(errors='replace')[-2000:]}")
    return answer(json.loads(out))


def wait(child: "subprocess.Popen[bytes]", beat: Callable[[], None]) -> tuple[bytes, bytes]:
    """Wait for the child, saying every half minute that it is at it."""
    while True:
        try:
            return child.communicate(timeout=BEAT_S)
        except subprocess.TimeoutExpired:
            beat()


def answer(found: dict[str, Any]) -> Facts | Refusal:
    """Read what the child printed."""
    if "code" in found:
        return Refusal(code=FailureCode(found["code"]), message=found["message"])
    return Facts(**{**found, "scripts": tuple(found["scripts"])})


# --- in the child ---------------------------------------------------------------------------------------


@dataclass
class Contained:
    """What was seen of one file of the archive."""

    sha256: str  # of its content, inflated where it is gzip
    unpacked_bytes: int = 0  # of the files in it, where it is a layer
    layer: Layer | None = None
    small: bytes | None = None  # its bytes, where it could be JSON
    zstd: bool = False


@dataclass
class Seen:
    """What one pass over the archive leaves behind."""

    files: dict[str, Contained] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)  # docker save links layers that are alike
    json_bytes: int = 0
    read_bytes: int = 0
    unpacked_bytes: int = 0
    budget: Budget = field(default_factory=Budget)


def check(path: Path, wanted: Wanted) -> Facts | Refusal:
    """Read the archive once and say what it is. Does not raise for anything in it."""
    size = path.stat().st_size
    if size > wanted.max_archive_bytes:
        message = f"the archive has {size} bytes, the challenge allows {wanted.max_archive_bytes}"
        return Refusal(code=FailureCode.ARCHIVE_SIZE, message=message)
    try:
        with path.open("rb", buffering=0) as file:
            seen = read_archive(file, wanted)
        return judge(seen, wanted)
    except Bad as bad:
        return bad.refusal
    except Damaged as error:
        return Refusal(code=FailureCode.ARCHIVE_FORMAT, message=str(error))
    except TooMuch as error:
        return Refusal(code=FailureCode.ARCHIVE_SIZE, message=str(error))


def read_archive(file: Source, wanted: Wanted) -> Seen:
    """One pass: every file is hashed, layers are listed, small JSON is kept."""
    seen = Seen()

    def count(found: bytes) -> None:
        seen.read_bytes += len(found)
        if seen.read_bytes > 2 * wanted.max_unpacked_bytes + JSON_TOTAL_MAX:
            raise TooMuch(f"the archive inflates to more than the {wanted.max_unpacked_bytes} bytes allowed")

    stream = Tapped(inflated(file), count)
    for number, (member, content) in enumerate(members(stream)):
        if number >= MEMBERS_MAX:
            raise Bad(FailureCode.ARCHIVE_FORMAT, f"the archive holds more than {MEMBERS_MAX} files")
        if number == 0 and not member.name:
            raise Damaged("the archive's first entry has no name")
        read_member(seen, member, content, wanted, count)
    while stream.read(CHUNK):  # to its end: a damaged gzip stream says so there
        pass
    return seen


def read_member(seen: Seen, member: Member, content: Content, wanted: Wanted, count: Callable[[bytes], None]) -> None:
    """Take in one file of the archive."""
    name = outer_name(member.name)
    if member.kind is Kind.FOLDER:
        return
    if name in seen.files or name in seen.links:
        raise Bad(FailureCode.ARCHIVE_FORMAT, f"the archive holds {name!r} twice")
    if member.kind is Kind.SYMLINK:
        seen.links[name] = outer_name(str(PurePosixPath(name).parent / member.link))
    elif member.kind is Kind.FILE:
        seen.files[name] = read_file(seen, content, wanted, count)
    else:
        raise Bad(FailureCode.ARCHIVE_FORMAT, f"the archive holds a {member.kind.value}: {name!r}")


def outer_name(name: str) -> str:
    """A file name inside the archive; docker save writes no path that leaves it."""
    if name.startswith("/"):
        raise Bad(FailureCode.ARCHIVE_FORMAT, f"the archive holds the absolute path {name[:200]!r}")
    try:
        return clean(name)
    except Damaged as error:
        raise Bad(FailureCode.ARCHIVE_FORMAT, f"the path {name[:200]!r} leaves the archive") from error


def read_file(seen: Seen, content: Content, wanted: Wanted, count: Callable[[bytes], None]) -> Contained:
    """Hash a file; list it where it is a layer; keep it where it can be JSON."""
    first = exactly(content, 512)
    source: Source = Peeked(first, content)
    packed = first.startswith(GZIP_MAGIC)
    if packed:
        source = Tapped(Gunzip(source), count)
        first = exactly(source, 512)
        source = Peeked(first, source)
    hashed = hashlib.sha256()
    source = Tapped(source, hashed.update)
    found = Contained(sha256="", zstd=first.startswith(ZSTD_MAGIC))
    if first[:1] in (b"{", b"["):
        found.small = small(seen, source)
    elif is_tar(first):
        found.layer = Layer(seen.budget)
        found.unpacked_bytes = read_layer(seen, found.layer, source, wanted)
    while source.read(CHUNK):
        pass
    found.sha256 = hashed.hexdigest()
    return found


def small(seen: Seen, source: Source) -> bytes | None:
    """Give the bytes of a file that may be JSON; None where it is too large for that."""
    found = exactly(source, JSON_MAX + 1)
    seen.json_bytes += len(found)
    if seen.json_bytes > JSON_TOTAL_MAX:
        raise Bad(FailureCode.ARCHIVE_FORMAT, f"the archive holds more than {JSON_TOTAL_MAX} bytes of JSON")
    return found if len(found) <= JSON_MAX else None


def read_layer(seen: Seen, layer: Layer, source: Source, wanted: Wanted) -> int:
    """List a layer's entries; gives the bytes it unpacks to."""
    unpacked = 0
    try:
        for member, _ in members(source):
            unpacked += member.unpacked_bytes
            if seen.unpacked_bytes + unpacked > wanted.max_unpacked_bytes:
                raise TooMuch(f"the image unpacks to more than the {wanted.max_unpacked_bytes} bytes allowed")
            layer.add(member)
    except Damaged as error:
        raise Bad(FailureCode.ARCHIVE_DAMAGED, f"a layer cannot be read: {error}") from error
    seen.unpacked_bytes += unpacked
    return unpacked


def judge(seen: Seen, wanted: Wanted) -> Facts:
    """Is it one image, whole, for this platform, with its entry scripts? Raises Bad."""
    entry = manifest_entry(seen)
    config_file = follow(seen, text_of(entry, "Config"))
    config = parsed(config_file, "the image's config")
    if not isinstance(config, dict):
        raise Bad(FailureCode.ARCHIVE_DAMAGED, "the image's config is not a JSON object")
    check_platform(config, wanted)
    check_volumes(config)
    layers = whole_layers(seen, entry, config)
    scripts = [name for name in (*wanted.scripts, *wanted.others) if is_regular(layers, f"{SCRIPTS}/{name}")]
    missing = [f"/{SCRIPTS}/{name}" for name in wanted.scripts if name not in scripts]
    if missing:
        raise Bad(FailureCode.ARCHIVE_SCRIPTS, f"not in the image: {' and '.join(missing)}")
    return Facts(
        digest=f"sha256:{config_file.sha256}",
        architecture=wanted.architecture,
        unpacked_bytes=seen.unpacked_bytes,
        scripts=tuple(scripts),
    )


def manifest_entry(seen: Seen) -> dict[str, Any]:
    """The one image that manifest.json names."""
    if "manifest.json" not in seen.files:
        if "oci-layout" in seen.files or "index.json" in seen.files:
            raise Bad(FailureCode.ARCHIVE_OCI, "the archive has index.json, but no manifest.json")
        raise Bad(FailureCode.ARCHIVE_FORMAT, "the archive has no manifest.json")
    manifest = parsed(seen.files["manifest.json"], "manifest.json")
    if not isinstance(manifest, list) or not all(isinstance(entry, dict) for entry in manifest):
        raise Bad(FailureCode.ARCHIVE_FORMAT, "manifest.json is not a list of images")
    if len(manifest) != 1:
        raise Bad(FailureCode.ARCHIVE_IMAGES, f"the archive holds {len(manifest)} images")
    entry: dict[str, Any] = manifest[0]
    return entry


def check_platform(config: dict[str, Any], wanted: Wanted) -> None:
    """Can the hosts run it? Raises Bad."""
    system, architecture = config.get("os"), config.get("architecture")
    if system != "linux" or architecture != wanted.architecture:
        raise Bad(
            FailureCode.ARCHIVE_PLATFORM,
            f"the image is for {shown(system)}/{shown(architecture)}, the hosts run linux/{wanted.architecture}",
        )


def check_volumes(config: dict[str, Any]) -> None:
    """The engine copies what is at each VOLUME before a container starts. Raises Bad."""
    settings = config.get("config")
    volumes = settings.get("Volumes") if isinstance(settings, dict) else None
    if isinstance(volumes, dict) and len(volumes) > VOLUMES_MAX:
        raise Bad(
            FailureCode.ARCHIVE_SIZE,
            f"the image declares {len(volumes)} volumes, {VOLUMES_MAX} are possible: take VOLUME out of its Dockerfile",
        )


def whole_layers(seen: Seen, entry: dict[str, Any], config: dict[str, Any]) -> list[Layer]:
    """The image's layers, lowest first, each of them what the config says. Raises Bad."""
    names = entry.get("Layers")
    rootfs = config.get("rootfs")
    expected = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(names, list) or not isinstance(expected, list) or len(names) != len(expected):
        raise Bad(FailureCode.ARCHIVE_DAMAGED, "manifest.json and the image's config disagree on its layers")
    if not names or len(names) > LAYERS_MAX:
        raise Bad(FailureCode.ARCHIVE_DAMAGED, f"the image has {len(names)} layers, 1 to {LAYERS_MAX} are possible")
    layers = []
    for name, diff_id in zip(names, expected, strict=True):
        if not isinstance(name, str):
            raise Bad(FailureCode.ARCHIVE_DAMAGED, "a layer's name in manifest.json is not text")
        found = follow(seen, name)
        if diff_id != f"sha256:{found.sha256}" or found.layer is None:
            why = (
                "is packed with zstd, which engines may not load: save it with gzip or plain"
                if found.zstd
                else f"has sha256:{found.sha256}, the config says {shown(diff_id)}"
            )
            raise Bad(FailureCode.ARCHIVE_DAMAGED, f"layer {shown(name)} {why}")
        layers.append(found.layer)
    return layers


def follow(seen: Seen, name: str) -> Contained:
    """Give a file of the archive by the name that manifest.json has for it. Raises Bad."""
    path = outer_name(name)
    for _ in range(LAYERS_MAX):
        if path not in seen.links:
            break
        path = seen.links[path]
    if path not in seen.files:
        raise Bad(FailureCode.ARCHIVE_DAMAGED, f"the archive lacks {shown(name)}, which manifest.json names")
    return seen.files[path]


def parsed(found: Contained, what: str) -> Any:
    """Read JSON. Raises Bad."""
    try:
        return json.loads(found.small or b"")
    except (ValueError, RecursionError) as error:
        raise Bad(FailureCode.ARCHIVE_DAMAGED, f"{what} is not JSON") from error


def text_of(entry: dict[str, Any], key: str) -> str:
    """A text in manifest.json. Raises Bad."""
    value = entry.get(key)
    if not isinstance(value, str):
        raise Bad(FailureCode.ARCHIVE_FORMAT, f"manifest.json has no {key}")
    return value


def shown(value: object) -> str:
    """A stranger's value, short and printable."""
    return repr(value)[:120]


def limit_self() -> None:
    """What this process can take from the machine, whatever the archive holds."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_MAX_S, CPU_MAX_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what the archive is."""
    parser = argparse.ArgumentParser(prog="server.archives", description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--wanted", required=True, help="JSON of Wanted")
    given = parser.parse_args(arguments)
    limit_self()
    found = json.loads(given.wanted)
    wanted = Wanted(**{**found, "scripts": tuple(found["scripts"]), "others": tuple(found["others"])})
    sys.stdout.write(json.dumps(asdict(check(given.path, wanted))))


if __name__ == "__main__":
    main()
