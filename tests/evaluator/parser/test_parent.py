"""Hostile files through the real child process, and children that lie."""

import os
import select
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from evaluator import notes
from evaluator.objects import ObjectRule
from evaluator.parser.parent import Parser, ParserError
from evaluator.readings import PixelReading, Status
from evaluator.sketch import Sketch
from tests.evaluator.files import SHAPE, header, packed, volume, voxels, write

RNG = np.random.default_rng(11)
MASK = RNG.random(SHAPE) < 0.3
SCORES = RNG.random(SHAPE)
POSITIVE = int(MASK.sum())
ZEROS = Sketch.zeros(positive=POSITIVE, negative=MASK.size - POSITIVE)
MAX_BYTES = 1 << 20


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as running:
        yield running


@pytest.fixture
def label(tmp_path: Path) -> Path:
    return write(tmp_path / "labels" / "case.nii.gz", volume(MASK, dtype="u1"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the prediction is looked for."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "case.nii.gz"


def read(parser: Parser, prediction: Path, label: Path, **options: float) -> PixelReading:
    return parser.pixel(
        prediction,
        label,
        shape=SHAPE,
        max_bytes=int(options.pop("max_bytes", MAX_BYTES)),
        timeout_s=options.pop("timeout_s", 60.0),
    )


def assert_works(parser: Parser, place: Path, label: Path) -> None:
    """The next case is read as if nothing had been."""
    found = read(parser, write(place.parent / "next.nii.gz", volume(SCORES)), label)
    assert (found.status, found.sketch) == (Status.OK, Sketch.of(SCORES.astype(np.float32), MASK))


def test_good_prediction_is_read(parser: Parser, place: Path, label: Path) -> None:
    found = read(parser, write(place, volume(SCORES)), label)
    assert found.status is Status.OK
    assert found.sketch == Sketch.of(SCORES.astype(np.float32), MASK)
    assert dict(found.notes) == {}
    assert found.sketch.distinct == np.unique(SCORES.astype(np.float16)).size


@pytest.mark.parametrize(("compiled", "detailed"), [(True, False), (False, True), (True, True)])
def test_what_a_child_loads_changes_no_digit(place: Path, label: Path, *, compiled: bool, detailed: bool) -> None:
    write(place, volume(SCORES))
    with Parser(compiled=compiled, detailed=detailed) as other:
        found = read(other, place, label)
        assert other.confinement.keys() == {"network", "files", "privileges"}
    assert found.sketch == Sketch.of(SCORES.astype(np.float32), MASK)
    assert (found.details is not None) == detailed


def test_threads_that_share_a_child_each_hear_of_their_own_case(parser: Parser, place: Path, label: Path) -> None:
    def case(number: int) -> tuple[Sketch, PixelReading]:
        scores = np.where(MASK, number / 16, SCORES).astype(np.float32)
        content = volume(scores) if number % 4 else b"no volume"
        found = read(parser, write(place.parent / f"{number}.nii.gz", content), label)
        return (Sketch.of(scores, MASK) if number % 4 else ZEROS), found

    with ThreadPoolExecutor(3) as pool:
        for expected, found in pool.map(case, range(12)):
            assert found.sketch == expected
            assert found.seconds > 0


def test_details_come_from_the_confined_child(place: Path, label: Path) -> None:
    write(place, volume(np.where(MASK, 0.9, 0.1)))
    with Parser(detailed=True, rule=ObjectRule(threshold=0.5)) as other:
        found, missing = read(other, place, label).details, read(other, place.parent / "none.nii.gz", label).details
    assert found
    assert missing
    assert found.objects
    assert missing.objects
    assert found.objects.true_positives == found.objects.objects == found.regions.n_components
    assert (missing.objects.objects, missing.objects.detections) == (found.objects.objects, 0)
    assert missing.slices == Sketch.zeros(positive=SHAPE[2], negative=0)


def test_slice_to_show_comes_from_the_confined_child(parser: Parser, place: Path, label: Path) -> None:
    write(place, volume(SCORES))
    found = parser.pixel(place, label, shape=SHAPE, max_bytes=MAX_BYTES, shown=True)
    z = int(MASK.sum(axis=(0, 1)).argmax())
    assert found.plane is not None
    np.testing.assert_array_equal(found.plane, SCORES[..., z].astype(np.float32).astype(np.float16))
    assert read(parser, place, label).plane is None
    missing = parser.pixel(place.parent / "none.nii.gz", label, shape=SHAPE, max_bytes=MAX_BYTES, shown=True)
    assert missing.plane is None


@pytest.mark.parametrize("plane", ["b'1'", "bytes(1 << 19)", f"b'\\xff' * {2 * SHAPE[0] * SHAPE[1]}"])
def test_slice_that_does_not_fit_is_not_believed(place: Path, label: Path, tmp_path: Path, plane: str) -> None:
    write(place, volume(SCORES))
    sketch = f"Sketch.zeros(positive={POSITIVE}, negative={MASK.size - POSITIVE}).to_bytes()"
    lie = f"send(connection, (a := Answer(status=Status.OK, sketch={sketch}, plane={plane})).to_fields(), a.content)"
    with liar(tmp_path, lie) as parser:
        found = parser.pixel(place, label, shape=SHAPE, max_bytes=MAX_BYTES, shown=True)
    assert (found.status, found.plane) == (Status.UNREADABLE, None)


def test_nan_counts_zero_and_is_told(parser: Parser, place: Path, label: Path) -> None:
    found = read(parser, write(place, volume(np.full(SHAPE, np.nan))), label)
    assert (found.status, dict(found.notes)) == (Status.OK, {notes.NAN: MASK.size})
    assert found.sketch.bins.tolist() == [0]


def test_missing_prediction(parser: Parser, place: Path, label: Path) -> None:
    found = read(parser, place, label)
    assert (found.status, dict(found.notes), found.sketch) == (Status.MISSING, {notes.MISSING: 1}, ZEROS)


def make_irregular(kind: str, place: Path) -> None:
    good = write(place.parent / "good.nii.gz", volume(SCORES))
    match kind:
        case "fifo":
            os.mkfifo(place)
        case "symlink to a secret":
            place.symlink_to("/etc/passwd")
        case "symlink to a good file":
            place.symlink_to(good)
        case "dangling symlink":
            place.symlink_to("/nowhere")
        case "hard link":
            place.hardlink_to(good)
        case "folder":
            place.mkdir()
        case "device":
            place.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "kind",
    ["fifo", "symlink to a secret", "symlink to a good file", "dangling symlink", "hard link", "folder", "device"],
)
def test_only_a_regular_file_of_its_own_is_opened(parser: Parser, place: Path, label: Path, kind: str) -> None:
    make_irregular(kind, place)
    found = read(parser, place, label)
    assert (found.status, dict(found.notes), found.sketch) == (Status.NOT_REGULAR, {notes.NOT_REGULAR: 1}, ZEROS)


def test_sparse_huge_file_is_too_large(parser: Parser, place: Path, label: Path) -> None:
    place.touch()
    os.truncate(place, 1 << 40)
    found = read(parser, place, label)
    assert (found.status, dict(found.notes)) == (Status.TOO_LARGE, {notes.TOO_LARGE: 1})


def test_sparse_file_under_the_cap_is_unreadable(parser: Parser, place: Path, label: Path) -> None:
    place.touch()
    os.truncate(place, 1 << 32)
    assert read(parser, place, label, max_bytes=1 << 33).status is Status.UNREADABLE


@pytest.mark.parametrize("content", [b"", b"0.5\n", volume(SCORES)[:-50], packed(header()[:300])])
def test_file_without_a_volume_is_unreadable(parser: Parser, place: Path, label: Path, content: bytes) -> None:
    found = read(parser, write(place, content), label)
    assert (found.status, dict(found.notes), found.sketch) == (Status.UNREADABLE, {notes.UNREADABLE: 1}, ZEROS)


def test_header_that_claims_a_trillion_voxels_has_another_shape(parser: Parser, place: Path, label: Path) -> None:
    found = read(parser, write(place, packed(header((10_000, 10_000, 10_000)))), label)
    assert (found.status, found.sketch) == (Status.SHAPE, ZEROS)


def bomb(start: bytes) -> bytes:
    """Some 4 GB of zeros in 4 MB, after `start`."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
    first = squeeze.compress(start) + squeeze.flush(zlib.Z_FULL_FLUSH)
    zeros = squeeze.compress(bytes(1 << 24)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    return first + zeros * 256


def test_bomb_behind_a_volume_is_not_inflated(parser: Parser, place: Path, label: Path) -> None:
    child = parser.pid
    content = bomb(header() + voxels(SCORES))
    found = read(parser, write(place, content), label, max_bytes=1 << 24)
    assert (found.status, dict(found.notes)) == (Status.OK, {notes.GZIP_TAIL: 1})
    assert parser.pid == child


@pytest.mark.parametrize("start", [b"", header((1024, 1024, 1024)), header(vox_offset=2.0**31)])
def test_bomb_instead_of_a_volume_is_not_inflated(parser: Parser, place: Path, label: Path, start: bytes) -> None:
    found = read(parser, write(place, bomb(start)), label, max_bytes=1 << 24)
    assert found.status in {Status.UNREADABLE, Status.SHAPE}
    assert_works(parser, place, label)


def test_killed_child_is_replaced(place: Path, label: Path) -> None:
    with Parser() as parser:
        first = parser.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        assert_works(parser, place, label)
        assert parser.pid not in {first, None}


def test_child_killed_over_a_file_leaves_it_unreadable_and_the_next_case_works(place: Path, label: Path) -> None:
    with Parser() as parser:
        first = parser.pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)  # silent, as one that a file has driven mad
        found = read(parser, write(place, volume(SCORES)), label, timeout_s=0.01)
        assert (found.status, found.sketch) == (Status.UNREADABLE, ZEROS)
        assert_works(parser, place, label)
        assert parser.pid != first


def test_child_ends_with_the_parser(place: Path, label: Path) -> None:
    with Parser() as parser:
        assert_works(parser, place, label)
        child = parser.pid
    assert parser.pid is None
    assert not Path(f"/proc/{child}").exists()


def test_child_ends_when_its_parent_is_killed() -> None:
    script = """
import sys
from evaluator.parser.parent import Parser
with Parser() as parser:
    print(parser.pid, flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    ended, _, _ = select.select([child], [], [], 30)
    os.close(child)
    assert ended


def liar(folder: Path, lie: str, *, detailed: bool = False) -> Parser:
    """A parser whose child lies about predictions, as if a file had taken it over; it is honest about labels."""
    script = folder / "liar.py"
    script.write_text(f"""
import json, os, socket, struct, sys
from dataclasses import replace
import numpy as np
from evaluator.details import Details
from evaluator.kernels import PLAIN
from evaluator.localised import Localised
from evaluator.objects import Detections
from evaluator.parser.child import answer, nothing_watches, watching_with
from evaluator.parser.wire import Answer, Request, send
from evaluator.regions import Regions
from evaluator.readings import Status
from evaluator.sketch import Sketch

def say(body, content=b"", lengths=None):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.sendall(struct.pack("!II", *(lengths or (len(body), len(content)))) + body + content)

good = {{"status": "ok", "notes": {{}}, "score": 1.0, "label_fault": "", "sketch_bytes": 0, "plane_bytes": 0}}
def give(sketch, details=b""):
    say({{**good, "sketch_bytes": len(sketch)}}, sketch + details)

connection = socket.socket(fileno=0)
say({{}})
while True:
    message, descriptors, _, _ = socket.recv_fds(connection, 4096, 2)
    if not message:
        break
    request = Request(**json.loads(message))
    if request.what == "label":
        watching = watching_with(PLAIN) if "detailed" in sys.argv else nothing_watches
        found = answer(request, [os.fdopen(descriptors[0], "rb")], PLAIN, watching)
        send(connection, found.to_fields(), found.content)
    else:
        {lie}
""")
    return Parser((sys.executable, str(script)), detailed=detailed)


LIES = {
    "not JSON": "say(b'{')",
    "no object": "say([1])",
    "deep JSON": "say(b'[' * 16000)",
    "too long": "say(b'', lengths=(1 << 31, 0))",
    "too much behind": "say(good, lengths=(70, 1 << 31))",
    "half an answer": "connection.sendall(b'12'); os._exit(0)",
    "silence": "os._exit(0)",
    "unknown status": "say({**good, 'status': 'great'})",
    "status of another type": "say({**good, 'status': ['ok']})",
    "unknown note": "say({**good, 'notes': {'W-WINNER': 1}})",
    "note without a count": "say({**good, 'notes': {'W-NAN': True}})",
    "negative count": "say({**good, 'notes': {'W-NAN': -1}})",
    "score over one": "say({**good, 'score': 2.0})",
    "score not a number": "say({**good, 'score': float('nan')})",
    "score as text": "say({**good, 'score': '1'})",
    "no field": "say({})",
    "sketch longer than what was sent": "say({**good, 'sketch_bytes': 3})",
    "sketch of no bytes at all": "say({**good, 'sketch_bytes': -1})",
    "slice longer than what was sent": "say({**good, 'plane_bytes': 3})",
    "slice before the first byte": "say({**good, 'sketch_bytes': 2, 'plane_bytes': -1}, b'12')",
}
FORGERIES = {
    "no sketch": "say(good)",
    "no sketch at all": "give(b'PK')",
    "fewer voxels": "give(Sketch.zeros(positive=1, negative=1).to_bytes())",
    "all voxels found": f"give(Sketch.zeros(positive={MASK.size}, negative=0).to_bytes())",
}


@pytest.mark.parametrize("lie", [*LIES.values(), *FORGERIES.values()], ids=[*LIES, *FORGERIES])
def test_child_that_lies_is_not_believed(place: Path, label: Path, tmp_path: Path, lie: str) -> None:
    write(place, volume(SCORES))
    with liar(tmp_path, lie) as parser:
        first = parser.pid
        found = parser.pixel(place, label, shape=SHAPE, max_bytes=MAX_BYTES, positive_voxels=POSITIVE)
        assert (found.status, found.sketch) == (Status.UNREADABLE, ZEROS)
        assert parser.pid != first


TRUE = f"""Details(
            slices=Sketch.zeros(positive={SHAPE[2]}, negative=0),
            regions=Regions.zeros(np.array([{POSITIVE}])),
            localised=Localised.total(()),
        )"""
FORGED_DETAILS = {
    "none": "b''",
    "something else": "b'PK'",
    "no slice": f"replace({TRUE}, slices=Sketch.total(())).to_bytes()",
    "fewer anomalous voxels": f"replace({TRUE}, regions=Regions.zeros(np.array([1]))).to_bytes()",
    "objects that nobody asked for": f"replace({TRUE}, objects=Detections.total(())).to_bytes()",
}


@pytest.mark.parametrize(("details", "believed"), [*((one, False) for one in FORGED_DETAILS.values()), (None, True)])
def test_details_that_do_not_fit_are_not_believed(
    place: Path, label: Path, tmp_path: Path, details: str | None, *, believed: bool
) -> None:
    write(place, volume(SCORES))
    lie = f"give(Sketch.zeros(positive={POSITIVE}, negative={MASK.size - POSITIVE}).to_bytes(), "
    with liar(tmp_path, lie + (details or f"{TRUE}.to_bytes()") + ")", detailed=True) as parser:
        found = parser.pixel(place, label, shape=SHAPE, max_bytes=MAX_BYTES)
    assert (found.status is Status.OK) == believed
    assert found.details
    assert found.details.regions.n_voxels == POSITIVE


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_child_that_lies_about_a_sample_score_is_not_believed(place: Path, tmp_path: Path, lie: str) -> None:
    label = write(tmp_path / "label.txt", b"1\n")
    with liar(tmp_path, lie) as parser:
        found = parser.sample(write(place, b"0.5"), label)
    assert (found.status, found.score, found.label) == (Status.UNREADABLE, 0.0, 1)


def test_label_that_does_not_fit_its_manifest_is_ours(parser: Parser, place: Path, label: Path) -> None:
    write(place, volume(SCORES))
    with pytest.raises(ParserError, match=r"label case\.nii\.gz: cannot be counted, or does not hold"):
        parser.pixel(place, label, shape=SHAPE, max_bytes=MAX_BYTES, positive_voxels=POSITIVE + 1)


@pytest.mark.parametrize("content", [None, b"", volume(np.zeros((2, 2, 2)), dtype="u1")])
def test_label_that_cannot_be_read_is_ours(parser: Parser, place: Path, tmp_path: Path, content: bytes | None) -> None:
    label = tmp_path / "case.nii.gz"
    if content is not None:
        write(label, content)
    with pytest.raises(ParserError, match=r"^label case\.nii\.gz: "):
        read(parser, write(place, volume(SCORES)), label)
    with pytest.raises(ParserError, match=r"^label case\.nii\.gz: "):
        read(parser, place.parent / "missing.nii.gz", label)


def test_sample_score_and_label(parser: Parser, place: Path, tmp_path: Path) -> None:
    label = write(tmp_path / "label.txt", b"1\n")
    found = parser.sample(write(place, b"0.25\n"), label)
    assert (found.status, found.score, found.label, dict(found.notes)) == (Status.OK, 0.25, 1, {})


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (None, Status.MISSING, notes.MISSING),
        (b"high", Status.UNREADABLE, notes.UNREADABLE),
        (b"0" * 100_000, Status.TOO_LARGE, notes.TOO_LARGE),
    ],
)
def test_sample_score_that_is_none(
    parser: Parser, place: Path, tmp_path: Path, content: bytes | None, status: Status, code: str
) -> None:
    label = write(tmp_path / "label.txt", b"0\n")
    if content is not None:
        write(place, content)
    found = parser.sample(place, label)
    assert (found.status, found.score, found.label, dict(found.notes)) == (status, 0.0, 0, {code: 1})


def test_sample_label_that_is_neither_is_ours(parser: Parser, place: Path, tmp_path: Path) -> None:
    with pytest.raises(ParserError, match=r"label\.txt: the first line is 'maybe'"):
        parser.sample(write(place, b"0.25"), write(tmp_path / "label.txt", b"maybe"))


def test_program_that_is_no_parser_is_ours() -> None:
    with pytest.raises(ParserError, match="does not start"), Parser((sys.executable, "-c", "")):
        pass


MALLOC = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


def test_child_holds_no_environment_and_few_descriptors(parser: Parser) -> None:
    environment = Path(f"/proc/{parser.pid}/environ")
    if os.geteuid():
        pytest.skip("only root may look")
    words = environment.read_text(encoding="ascii").rstrip("\0").split("\0")
    assert {word.partition("=")[0] for word in words} <= {"OPENBLAS_NUM_THREADS", *MALLOC}
    assert {int(path.name) for path in Path(f"/proc/{parser.pid}/fd").iterdir()} == {0, 1, 2}
