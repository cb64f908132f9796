"""What looking up a path in hostile layers costs."""

from array import array
from collections.abc import Iterator

from server.layers import Budget, Layer, is_regular
from server.tars import Kind, Member

FOLDERS = 500
ENTRIES = 10_000


class Watched(array):  # type: ignore[type-arg]  # of 8-byte integers
    """Entries that nobody may walk through for one path."""

    def __contains__(self, _: object) -> bool:
        raise AssertionError("walked through")


def member(name: str, kind: Kind = Kind.FILE, link: str = "") -> Member:
    return Member(name=name, kind=kind, link=link, unpacked_bytes=0)


def files() -> Iterator[Member]:
    return (member(f"file{number}") for number in range(ENTRIES))


def test_a_link_through_very_many_folders_costs_no_walk_through_all_entries() -> None:
    layer = Layer(Budget(), entries=Watched("q"))
    deep = "/".join(["a"] * FOLDERS)
    for one in (*files(), member(f"{deep}/x"), member("run", Kind.SYMLINK, f"/{deep}/x")):
        layer.add(one)
    assert is_regular([layer], "run")
    assert not is_regular([layer], f"{deep}/y")
    assert is_regular([layer], f"file{ENTRIES - 1}")
