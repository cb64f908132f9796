"""What an image's file system holds at a path, when its layers are applied: whiteouts and links followed.

A layer may have a million entries, so of files and folders only eight bytes each are kept; of links and
whiteouts the paths, up to a bound.
"""

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from enum import IntEnum

from server.tars import Damaged, Kind, Member, TooMuch

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
LINK_BYTES_MAX = 128 * 2**20  # of the names of links and whiteouts of an image
ENTRIES_MAX = 4_000_000  # of an image's layers together; large ones have some 200,000
FOLLOWED_MAX = 40  # links on the way to one file: Linux's own bound


class Found(IntEnum):
    """What a layer says of a path."""

    NOTHING = 0
    FILE = 1
    FOLDER = 2
    OTHER = 3


@dataclass(frozen=True, kw_only=True)
class Link:
    """A symbolic or hard link."""

    target: str
    hard: bool


@dataclass
class Budget:
    """What all layers of an archive may still cost."""

    entries: int = field(default_factory=lambda: ENTRIES_MAX)
    link_bytes: int = field(default_factory=lambda: LINK_BYTES_MAX)


@dataclass
class Layer:
    """What a layer adds to and takes from the ones below it."""

    budget: Budget
    entries: "array[int]" = field(default_factory=lambda: array("q"))  # hashes of path and kind
    is_sorted: bool = False  # the entries: from the first question on
    links: dict[str, Link] = field(default_factory=dict)
    whiteouts: set[str] = field(default_factory=set)
    opaque: set[str] = field(default_factory=set)
    parent: str = ""  # the folder that was written down last

    def add(self, member: Member) -> None:
        """Take in the next entry. Raises Damaged for a path that leaves the image, TooMuch past a bound."""
        path = clean(member.name)
        folder, _, name = path.rpartition("/")
        if name == OPAQUE:
            self._keep(folder)
            self.opaque.add(folder)
            return
        self._parents(folder)
        if name.startswith(WHITEOUT):
            hidden = join(folder, name.removeprefix(WHITEOUT))
            self._keep(hidden)
            self.links.pop(hidden, None)
            self.whiteouts.add(hidden)
            return
        if member.kind in {Kind.SYMLINK, Kind.HARD_LINK}:
            self._keep(path + member.link)
            self.links[path] = Link(target=member.link, hard=member.kind is Kind.HARD_LINK)
            return
        if path in self.links and member.kind is not Kind.FOLDER:
            del self.links[path]
        self._note(path, KINDS[member.kind])

    def of(self, path: str) -> Link | Found:
        """What this layer alone says."""
        if path in self.links:
            return self.links[path]
        for found in (Found.FILE, Found.FOLDER, Found.OTHER):
            if self._has(path, found):
                return found
        return Found.NOTHING

    def hides(self, path: str) -> bool:
        """Does it take away what lower layers say of the path?"""
        if path in self.whiteouts:
            return True
        above = parents(path)
        return any(one in self.whiteouts or one in self.opaque or self._replaces(one) for one in above)

    def _replaces(self, folder: str) -> bool:
        """Is something else than a folder where lower layers have a folder?"""
        return bool(folder) and (
            folder in self.links or self._has(folder, Found.FILE) or self._has(folder, Found.OTHER)
        )

    def _parents(self, folder: str) -> None:
        """Folders that are only named by what is in them."""
        if folder == self.parent:
            return
        self.parent = folder
        for one in (*parents(folder), folder):
            if one:
                self._note(one, Found.FOLDER)

    def _has(self, path: str, found: Found) -> bool:
        """Look it up: a path may have two thousand folders and forty links, so this must not walk the entries."""
        if not self.is_sorted:
            self.entries = array("q", sorted(self.entries))
            self.is_sorted = True
        wanted = digest(path, found)
        place = bisect_left(self.entries, wanted)
        return place < len(self.entries) and self.entries[place] == wanted

    def _note(self, path: str, found: Found) -> None:
        self.entries.append(digest(path, found))
        self.is_sorted = False
        self.budget.entries -= 1
        if self.budget.entries < 0:
            raise TooMuch(f"the image holds more than {ENTRIES_MAX} files")

    def _keep(self, name: str) -> None:
        self.budget.link_bytes -= len(name) + 100  # what an entry of a dict costs
        if self.budget.link_bytes < 0:
            raise TooMuch("the image holds more links than any image needs")


KINDS = {Kind.FILE: Found.FILE, Kind.FOLDER: Found.FOLDER, Kind.OTHER: Found.OTHER}


def digest(path: str, found: Found) -> int:
    """Eight bytes for a path; seeded anew in each process, so that nobody makes two paths meet."""
    return hash((path, int(found)))


def clean(name: str) -> str:
    """Give the path from the image's root. Raises Damaged where it leaves the image."""
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            if not parts:
                raise Damaged(f"the path {name[:200]!r} leaves the image")
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


def join(folder: str, name: str) -> str:
    """A path in a folder; the root is empty."""
    return f"{folder}/{name}" if folder else name


def parents(path: str) -> list[str]:
    """Its folders, outermost first, the root ("") included."""
    if not path:
        return []
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(len(parts))]


def is_regular(layers: list[Layer], path: str) -> bool:
    """Is there a regular file at the path, once all layers are applied and links are followed?"""
    return _resolve(layers, path) is Found.FILE


def _resolve(layers: list[Layer], path: str) -> Found:
    """Walk down from the root as a kernel inside the container would."""
    todo, done = path.split("/"), list[str]()
    left = FOLLOWED_MAX
    found = Found.FOLDER
    while todo:
        part = todo.pop(0)
        if part in {"", "."}:
            continue
        if part == "..":
            done = done[:-1]
            found = Found.FOLDER
            continue
        if found is not Found.FOLDER:
            return Found.NOTHING
        here = _top(layers, "/".join([*done, part]))
        if isinstance(here, Link):
            left -= 1
            if left < 0:
                return Found.NOTHING
            if here.target.startswith("/"):
                done = []
            todo = [*here.target.split("/"), *todo]
            continue
        found = here
        if found is Found.NOTHING:
            return found
        done = [*done, part]
    return found


def _top(layers: list[Layer], path: str) -> Link | Found:
    """What the uppermost layer that knows the path says; a hard link is what it points to."""
    upto = len(layers)
    for _ in range(FOLLOWED_MAX):
        for index in range(upto - 1, -1, -1):
            found = layers[index].of(path)
            if found is not Found.NOTHING:
                break
            if layers[index].hides(path):
                return Found.NOTHING
        else:
            return Found.NOTHING
        if not isinstance(found, Link) or not found.hard:
            return found
        path, upto = clean(found.target), index + 1
    return Found.NOTHING
