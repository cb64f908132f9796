"""Objects by their sha256: whole or not there."""

import hashlib
import os
from datetime import UTC, datetime, timedelta

import pytest

from server.storage import Store

EMPTY = hashlib.sha256(b"").hexdigest()


def incoming(store: Store) -> list[str]:
    return [path.name for path in store.incoming.iterdir()]


def test_bytes_are_found_by_their_hash(store: Store) -> None:
    sha256 = store.put(b"hello")
    assert sha256 == hashlib.sha256(b"hello").hexdigest()
    assert store.get(sha256) == b"hello"
    assert store.size(sha256) == 5
    with store.open(sha256) as file:
        assert file.read() == b"hello"
    assert incoming(store) == []


def test_the_same_bytes_are_kept_once(store: Store) -> None:
    assert store.put(b"hello") == store.put(b"hello")
    assert len([path for path in store.folder.rglob("*") if path.is_file()]) == 1


def test_received_in_pieces_it_is_there_after_commit_only(store: Store) -> None:
    with store.receive() as file:
        file.write(b"hel")
        file.write(memoryview(b"lo"))
        sha256 = file.sha256
        assert file.bytes == 5
        assert not store.exists(sha256)
        assert file.commit() == sha256
    assert store.get(sha256) == b"hello"


def test_what_stops_half_way_leaves_nothing(store: Store) -> None:
    file = store.receive()
    with pytest.raises(TypeError), file:
        file.write("text")  # type: ignore[arg-type]  # stands for whatever goes wrong on the way
    assert incoming(store) == []
    file.abort()


def test_nothing_is_an_object_too(store: Store) -> None:
    assert store.put(b"") == EMPTY
    assert store.get(EMPTY) == b""


def test_what_is_not_there_says_so(store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        store.get(EMPTY)
    with pytest.raises(FileNotFoundError):
        store.size(EMPTY)
    assert not store.delete(EMPTY)


@pytest.mark.parametrize("name", ["", "abc", "../../etc/passwd", "A" * 64, "0" * 63 + "/", EMPTY + "\n"])
def test_only_a_hash_is_a_name(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="sha256"):
        store.path(name)


def test_deleting_spares_what_came_again(store: Store) -> None:
    before = datetime(2026, 3, 1, tzinfo=UTC)
    store.clock = lambda: before + timedelta(hours=1)
    sha256 = store.put(b"hello")
    assert not store.delete(sha256, unless_after=before)
    assert store.delete(sha256, unless_after=before + timedelta(hours=1))
    assert not store.exists(sha256)


def test_old_incoming_files_are_swept(store: Store) -> None:
    old, young = store.receive(), store.receive()
    now = datetime.now(UTC)
    first = min(store.incoming.iterdir())
    os.utime(first, ((now - timedelta(days=2)).timestamp(),) * 2)
    assert store.sweep_incoming(now - timedelta(days=1)) == 1
    assert len(incoming(store)) == 1
    old.abort()
    young.abort()
    assert incoming(store) == []
