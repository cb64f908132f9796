"""Time and memory of scoring, beside the published way, on the same files and in one interleaved run.

    python benchmarks/evaluator.py [--quick] [--part NAME]… [--folder DIR]

A busy machine slows both sides, so only ratios taken side by side count; each is printed with what must be and
what is aimed at. `--quick` takes 64³ instead of 256³ and shows that it runs, nothing else. The parts:

one, four, twenty   volumes of 256³: `benchmarks/plain.py` and ours, and the floor: isal inflating the same
                    predictions and labels, and one pass over what comes out
large               twenty volumes of 512³, which the published way cannot do in 24 GB
again               a batch scored again from stored sketches, and what AUPRO adds to a pass

"Ours" is `evaluator.evaluation.evaluate` less the start of its processes, which is printed apart; without details
(AP, AUROC, Dice and what else voxels give), and with them (slices, lesions, boxes). Memory is the highest resident
memory of the parser process, which does the scoring. Twenty volumes are four different ones, five times each, in
files of their own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # before this file's own folder, where this file is called `evaluator` too

import numpy as np  # noqa: E402  found without the line above, but stands with what is not
from isal import igzip  # noqa: E402  as above
from numpy.typing import NDArray  # noqa: E402  as above

from benchmarks import volumes  # noqa: E402  found by the line above
from evaluator.components import label  # noqa: E402  as above
from evaluator.counting import read_pixel  # noqa: E402  as above
from evaluator.details import Details  # noqa: E402  as above
from evaluator.evaluation import evaluate  # noqa: E402  as above
from evaluator.formats import Volume  # noqa: E402  as above
from evaluator.kernels import best, clamped  # noqa: E402  as above
from evaluator.localised import Localised  # noqa: E402  as above
from evaluator.metrics.regions import aupro  # noqa: E402  as above
from evaluator.metrics.voxels import average_precision  # noqa: E402  as above
from evaluator.regions import Regions  # noqa: E402  as above
from evaluator.sketch import Sketch  # noqa: E402  as above
from evaluator.truth import Truth  # noqa: E402  as above

PARTS = {"one": 1, "four": 4, "twenty": 20, "large": 20, "again": 20}
ROUNDS = {1: 3, 4: 3, 20: 1}  # of plain; ours and the floor run before and after each
DISTINCT = 4
SIDE, LARGE_SIDE, QUICK_SIDE = 256, 512, 64
BUFFER_BYTES = 1 << 18
REPEATS = 5
SAMPLE_S = 0.02
MEGABYTE = 1e6
DETAILED, VOXELS = "detailed", "voxels"


@dataclass(frozen=True, kw_only=True)
class Took:
    """One run of either side."""

    ap: float
    seconds: float  # without the start of processes
    start_s: float
    peak_bytes: int  # of the process that scores
    parent_bytes: int = 0  # of the process beside it


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the runs on one folder came to; seconds are medians, ratios those of the medians."""

    kind: str
    count: int
    plain: Sequence[Took]
    ours: Mapping[int, Sequence[Took]]  # by workers
    detailed: Sequence[Took]  # one worker
    floor_s: Mapping[int, Sequence[float]]

    def seconds(self, workers: int) -> float:
        """Ours."""
        return median(took.seconds for took in self.ours[workers])

    @property
    def plain_s(self) -> float:
        """The published way."""
        return median(took.seconds for took in self.plain)

    def ratio(self, workers: int) -> float:
        """How much faster ours is."""
        return self.plain_s / self.seconds(workers)

    def over_floor(self, workers: int) -> float:
        """Ours against the floor."""
        return self.seconds(workers) / median(self.floor_s[workers])

    def line(self) -> str:
        """Write it for the table of times."""
        detailed_s = median(took.seconds for took in self.detailed)
        same = len({took.ap for took in (*self.plain, *self.every)}) == 1
        return (
            f"{self.kind:<14}{self.plain_s:>7.2f} {self.seconds(1):>8.3f} {self.ratio(1):>6.1f} "
            f"{self.seconds(2):>11.3f} {self.ratio(2):>6.1f} {detailed_s:>10.3f} {self.plain_s / detailed_s:>6.1f} "
            f"{median(self.floor_s[1]):>8.3f} {self.over_floor(1):>11.2f} {self.over_floor(2):>4.2f}  "
            f"{'yes' if same else 'NO'}"
        )

    @property
    def voxels(self) -> Sequence[Took]:
        """The runs of ours without details."""
        return [took for runs in self.ours.values() for took in runs]

    @property
    def every(self) -> Sequence[Took]:
        """All runs of ours."""
        return [*self.voxels, *self.detailed]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One figure beside what it must be and what is aimed at."""

    what: str
    measured: float
    must: float
    aim: float
    unit: str = "×"
    at_most: bool = False

    def line(self) -> str:
        """Write it for the last table."""
        marks = (self._mark(self.must), self._mark(self.aim))
        bound = "≤" if self.at_most else "≥"
        wanted = f"{bound} {self.must:g} / {self.aim:g} {self.unit}"
        return f"{self.what:<52} {wanted:>20} {self.measured:>10.4g}  {marks[0]} {marks[1]}"

    def _mark(self, wanted: float) -> str:
        return "✓" if (self.measured <= wanted if self.at_most else self.measured >= wanted) else "✗"


RATIOS = {"half-valued": (25, 35), "full mantissa": (18, 25), "mostly zero": (100, 160)}  # one worker
TWO_WORKERS = (40, 65)  # of half-valued maps


@dataclass
class Bench:
    """One call of this script."""

    folder: Path
    quick: bool
    verdicts: list[Verdict] = field(default_factory=list)

    def of_side(self, side: int) -> int:
        """Give the side to use for a side."""
        return side * QUICK_SIDE // SIDE if self.quick else side

    def cases(self, kind: str, side: int, count: int) -> Path:
        """Give a folder of `count` cases, written when it is first asked for."""
        distinct = min(DISTINCT if side == SIDE else 1, count)
        made = self.folder / f"{kind.replace(' ', '-')}-{side}"
        place = self.folder / f"{made.name}-{count}"
        if not place.exists():
            if not made.exists():
                volumes.write(made, kind, side=self.of_side(side), count=DISTINCT if side == SIDE else 1)
            volumes.repeat(made, place, distinct=distinct, count=count)
        return place

    def run(self, part: str) -> None:
        """Run one of PARTS."""
        if part == "large":
            self.large()
        elif part == "again":
            self.again()
        else:
            self.batches(PARTS[part])

    def batches(self, count: int) -> None:
        """Put plain and ours side by side on `count` volumes of each kind."""
        print(f"\n{count} × {self.of_side(SIDE)}³, {ROUNDS[count]} rounds")
        print(
            "seconds         plain     ours  ratio   2 workers  ratio   detailed  ratio"
            "    floor  ours/floor  2 w  same AP"
        )
        rows = []
        for kind in volumes.KINDS:
            row = self._row(kind, count)
            rows.append(row)
            print(row.line(), flush=True)
        self._print_memory(rows)
        if count == max(ROUNDS):
            self._judge(rows)

    def large(self) -> None:
        """Score twenty volumes of 512³, and twenty of 256³ beside them."""
        kind = next(iter(volumes.KINDS))
        small, big = (self.cases(kind, side, 20) for side in (SIDE, LARGE_SIDE))
        for workers in (1, 2):
            took = {place: run_ours(place, workers) for place in (small, big)}
            floor_s = floor(big, workers)
            times = took[big].seconds / took[small].seconds
            print(
                f"\n20 × {self.of_side(LARGE_SIDE)}³ {kind}, {workers} worker{'s' * (workers > 1)}: "
                f"{took[big].seconds:.1f} s, {took[big].seconds / floor_s:.2f} × the floor, parser process "
                f"{took[big].peak_bytes / MEGABYTE:.0f} MB, parent {took[big].parent_bytes / MEGABYTE:.0f} MB; "
                f"{times:.1f} × the {took[small].seconds:.1f} s of 20 × {self.of_side(SIDE)}³"
            )
            self._judge_most(f"20 × 512³ against 20 × 256³, {workers}w", times, 9, 8)
            self._judge_most(f"20 × 512³, memory, {workers}w", took[big].peak_bytes / MEGABYTE, 220, 100, "MB")

    def again(self) -> None:
        """Score a batch again from what was stored of it, and weigh a pass with and without the lesions' regions."""
        place = self.cases("half-valued", SIDE, DISTINCT)
        names = sorted(path.name for path in (place / "labels").iterdir())
        scored = time.perf_counter()
        passes = [[one_pass(place, name, regions=regions) for regions in (False, True)] for name in names]
        scored = (time.perf_counter() - scored) * PARTS["again"] / (2 * len(names))
        stored = [sketch.to_bytes() for (_, sketch), _ in passes] * (PARTS["again"] // len(names))
        start = time.perf_counter()
        kept = [Sketch.from_bytes(content) for content in stored]
        opened = time.perf_counter()
        for _ in range(REPEATS):
            average_precision(Sketch.total(kept))
        again_s = (time.perf_counter() - opened) / REPEATS
        opened_s = opened - start + again_s
        print(
            f"\n20 × {self.of_side(SIDE)}³ half-valued scored again: {1e3 * opened_s:.1f} ms from files, "
            f"{1e3 * again_s:.2f} ms from sketches in memory; the passes took {scored:.2f} s"
        )
        self.verdicts.append(
            Verdict(what="scored again from stored sketches", measured=scored / again_s, must=1000, aim=10_000)
        )
        self.verdicts.append(
            Verdict(what="  their files' reading included", measured=scored / opened_s, must=1000, aim=10_000)
        )
        rounds = [[one_pass(place, name, regions=regions)[0] for regions in (False, True)] for name in names * REPEATS]
        share = 100 * (median(both[1] / both[0] for both in rounds) - 1)
        self._judge_most("AUPRO's share of the pass", share, 5, 5, "%")

    def _row(self, kind: str, count: int) -> Row:
        place = self.cases(kind, SIDE, count)
        plain: list[Took] = []
        ours: dict[int, list[Took]] = {1: [], 2: []}
        detailed: list[Took] = []
        floor_s: dict[int, list[float]] = {1: [], 2: []}
        for round_ in range(2 * ROUNDS[count] + 1):
            if round_ % 2:
                plain.append(run_plain(place, count))
                continue
            for workers in (1, 2):
                ours[workers].append(run_ours(place, workers))
                floor_s[workers].append(floor(place, workers))
            detailed.append(run_ours(place, 1, detailed=True))
        return Row(kind=kind, count=count, plain=plain, ours=ours, detailed=detailed, floor_s=floor_s)

    def _print_memory(self, rows: Sequence[Row]) -> None:
        print("                memory of plain, parser process, detailed, parent     start of plain, ours, detailed")
        for row in rows:
            runs_of_all = (row.plain, row.voxels, row.detailed)
            sizes = [*map(highest, runs_of_all), max(took.parent_bytes for took in row.every)]
            starts = [median(took.start_s for took in runs) for runs in runs_of_all]
            print(
                f"{row.kind:<14}{sizes[0] / MEGABYTE:>11.0f} MB {sizes[1] / MEGABYTE:>11.0f} MB "
                f"{sizes[2] / MEGABYTE:>6.0f} MB {sizes[3] / MEGABYTE:>5.0f} MB "
                f"{starts[0]:>16.2f} s {starts[1]:>5.2f} s {starts[2]:>5.2f} s"
            )

    def _judge(self, rows: Sequence[Row]) -> None:
        for row in rows:
            must, aim = RATIOS[row.kind]
            self.verdicts.append(
                Verdict(what=f"20 × 256³ {row.kind}, 1 worker", measured=row.ratio(1), must=must, aim=aim)
            )
            if row.kind == "half-valued":
                must, aim = TWO_WORKERS
                self.verdicts.append(
                    Verdict(what=f"20 × 256³ {row.kind}, 2 workers", measured=row.ratio(2), must=must, aim=aim)
                )
            self._judge_most(f"20 × 256³ {row.kind}, against the floor", row.over_floor(1), 1.25, 1.1)
            for what, runs in (("", row.voxels), (", detailed", row.detailed)):
                self._judge_most(f"20 × 256³ {row.kind}, memory{what}", highest(runs) / MEGABYTE, 220, 100, "MB")

    def _judge_most(self, what: str, measured: float, must: float, aim: float, unit: str = "×") -> None:
        self.verdicts.append(Verdict(what=what, measured=measured, must=must, aim=aim, unit=unit, at_most=True))


class WithRegions:
    """Watches a pass for its lesions' regions alone."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self.components = label(truth.runs, truth.shape)
        self.at_lesions: list[NDArray[np.uint16]] = []

    def see(self, start: int, patterns: NDArray[np.uint16]) -> None:
        """Keep what lies in lesions."""
        self.at_lesions.append(clamped(patterns[self.truth.positives(start, start + patterns.size)]))

    def details(self) -> Details:
        """Count regions."""
        component = np.repeat(self.components.of_run, self.components.runs.lengths)
        return Details(
            slices=Sketch.total([]),
            regions=Regions.of(component, np.concatenate(self.at_lesions), self.components.sizes),
            localised=Localised.total([]),
        )


def one_pass(folder: Path, name: str, *, regions: bool) -> tuple[float, Sketch]:
    """Read a case in this process; seconds, and the sketch."""
    with (folder / "predictions" / name).open("rb") as prediction, (folder / "labels" / name).open("rb") as file:
        shape = Volume.open(file).shape
        file.seek(0)
        start = time.perf_counter()
        reading = read_pixel(prediction, Truth.read(file, shape), loops=best(), watch=WithRegions if regions else None)
        if reading.details:
            aupro(reading.sketch, reading.details.regions)
        return time.perf_counter() - start, reading.sketch


def highest(runs: Sequence[Took]) -> int:
    """Give the highest resident memory of a process that scored."""
    return max(took.peak_bytes for took in runs)


def run_plain(folder: Path, count: int) -> Took:
    """Score in a process of its own."""
    places = [str(folder / place) for place in volumes.PLACES]
    start = time.perf_counter()
    found = _spoken([str(ROOT / "benchmarks" / "plain.py"), *places, str(count)])
    wall_s = time.perf_counter() - start
    return Took(**found, start_s=wall_s - found["seconds"])


def run_ours(folder: Path, workers: int, *, detailed: bool = False) -> Took:
    """Score in a process of its own, with its parser processes."""
    start = time.perf_counter()
    found = _spoken([__file__, "--measure", str(folder), str(workers), DETAILED if detailed else VOXELS])
    wall_s = time.perf_counter() - start
    return Took(**found, start_s=wall_s - found["seconds"])


def measure(folder: Path, workers: int, what: str) -> None:
    """Be that process: evaluate, and print what it took."""
    names = sorted(path.name for path in (folder / "labels").iterdir())
    with watched_children() as peaks:
        start = time.perf_counter()
        evaluation = evaluate(
            "pixel",
            folder / "predictions",
            folder / "labels",
            deal=(tuple(names),),
            workers=workers,
            detailed=what == DETAILED,
        )
        numbers = evaluation.as_dict()
        seconds = time.perf_counter() - start - evaluation.start_s
    parent_bytes = _status_bytes("self")
    found = {"ap": numbers["ap"], "seconds": seconds, "peak_bytes": max(peaks), "parent_bytes": parent_bytes}
    print(json.dumps(found))


@contextmanager
def watched_children() -> Iterator[list[int]]:
    """Note the highest resident memory of every child, again and again; Linux."""
    peaks = [0]
    over = threading.Event()

    def look() -> None:
        while not over.wait(SAMPLE_S):
            peaks.extend(_status_bytes(pid) for pid in _children())

    watching = threading.Thread(target=look, daemon=True)
    watching.start()
    try:
        yield peaks
    finally:
        over.set()
        watching.join()


def _children() -> list[str]:
    """Give the process ids of this process's children, whichever thread started them."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # a thread that has ended
            found += (task / "children").read_text(encoding="ascii").split()
    return found


def _status_bytes(pid: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:  # it has ended
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM")), 0)


def floor(folder: Path, workers: int) -> float:
    """Inflate all predictions and labels with isal, look at every byte once; seconds."""
    paths = [path for place in volumes.PLACES for path in sorted((folder / place).iterdir())]
    start = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(_inflated, paths))
    return time.perf_counter() - start


def _inflated(path: Path) -> int:
    buffer = bytearray(BUFFER_BYTES)
    words = np.frombuffer(buffer, dtype=np.uint64)
    found = 0
    with igzip.open(path, "rb") as stream:  # type: ignore[no-untyped-call]  # ships types for some of it
        while count := stream.readinto(buffer):
            found += int(words[: count // words.itemsize].max(initial=0))
    return found


def _spoken(arguments: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.PIPE, cwd=ROOT)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Run the parts that were asked for, and judge."""
    options = argparse.ArgumentParser(description="Time and memory of scoring, beside the published way.")
    options.add_argument("--quick", action="store_true", help="small volumes: shows that it runs")
    options.add_argument("--part", action="append", choices=PARTS, help="one part (several times for several)")
    options.add_argument("--folder", type=Path, help="keep the files here; without, a temporary folder")
    options.add_argument("--measure", nargs=3, metavar=("FOLDER", "WORKERS", "WHAT"), help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.measure:
        measure(Path(given.measure[0]), int(given.measure[1]), given.measure[2])
        return
    with tempfile.TemporaryDirectory(prefix="mood-benchmark-") as name:
        bench = Bench(folder=given.folder or Path(name), quick=given.quick)
        for part in given.part or PARTS:
            bench.run(part)
    if bench.verdicts and not given.quick:
        print(f"\n{'':<52} {'must / aim':>20} {'measured':>10}")
        print("\n".join(verdict.line() for verdict in bench.verdicts))


if __name__ == "__main__":
    main()
