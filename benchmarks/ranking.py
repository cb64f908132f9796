"""Time and memory of a ranking's bootstrap, beside the naive way on a part of it.

    python benchmarks/ranking.py [--submissions 10] [--cases 600] [--resamples 1000] [--naive-side 64]

Made-up sketches of 256³ voxels lie in files, as in the server's store: half of the cases hold a lesion of some 20,000
voxels. (60 different cases a submission, under as many names as are asked for: reading and computing take as long.)
Ours is `evaluator.analysis.standings`, all of it: reading the sketches, 1,000 resamples of 30 batches of 20 for each
submission, ranks, intervals, tests and tables. Its memory is the highest resident memory of the process until then.

The naive way is told twice, on a part, and scaled up to the whole:

scikit-learn   a batch of 20 volumes drawn again, its voxels put in a row, `average_precision_score`; on volumes of
               `--naive-side`³, times the voxels of 256³ (sorting's logarithm left out, and no volume is read)
adding up      a batch's sketches drawn again and added up one by one, then `average_precision`

Both give what ours gives for the same draws; the largest difference is printed. Seconds are of the processor, which
other work on the machine slows less than a clock's; ours on a clock are printed beside them.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the working tree's own

import numpy as np  # noqa: E402  found without the line above, but stands with what is not
from numpy.typing import NDArray  # noqa: E402  as above
from sklearn.metrics import average_precision_score  # noqa: E402  as above

from evaluator.analysis.entries import CHALLENGE, CaseSet, Entry  # noqa: E402  found by the line above
from evaluator.analysis.standings import standings  # noqa: E402  as above
from evaluator.metrics.voxels import average_precision, batched_average_precision  # noqa: E402  as above
from evaluator.resampling import ap_of_sketches, draws  # noqa: E402  as above
from evaluator.sketch import VALUES, Sketch  # noqa: E402  as above

SIDE = 256
LESION_VOXELS = 20_000
DIFFERENT = 60
BATCH = 20
KIB, MEGABYTE = 1024, 1e6
PARTS = 5  # of the naive ways


@dataclass
class Stored(Mapping[str, Sketch]):
    """Sketches in files, read when asked for; the time that takes is added up."""

    paths: Mapping[str, Path]
    read_s: float = 0.0
    distinct: int = 0

    def __getitem__(self, case: str) -> Sketch:
        """Read one."""
        start = time.process_time()
        sketch = Sketch.from_bytes(self.paths[case].read_bytes())
        self.read_s += time.process_time() - start
        self.distinct += sketch.distinct
        return sketch

    def __iter__(self) -> Iterator[str]:
        """Every case."""
        return iter(self.paths)

    def __len__(self) -> int:
        """How many cases."""
        return len(self.paths)


def made_up(rng: np.random.Generator, *, anomalous: bool, skill: float) -> Sketch:
    """Draw a case: voxels round 0.15, those of a lesion higher."""
    edges = np.arange(VALUES, dtype=np.uint16).view(np.float16).astype(np.float64)
    widths = np.diff(edges, append=1.0)

    def counted(mean: float, deviation: float, voxels: int) -> NDArray[np.uint64]:
        density = np.exp(-(((edges - mean) / deviation) ** 2) / 2) * widths
        found: NDArray[np.uint64] = rng.poisson(density / density.sum() * voxels).astype(np.uint64)
        return found

    negative = counted(rng.normal(0.15, 0.02), 0.06, SIDE**3 - LESION_VOXELS)
    positive = counted(0.15 + skill * rng.uniform(0.2, 1), 0.06, LESION_VOXELS if anomalous else 0)
    bins = np.flatnonzero(negative + positive)
    return Sketch(bins=bins.astype(np.uint16), positive=positive[bins], negative=negative[bins])


def write(folder: Path, submissions: int, cases: CaseSet) -> list[Entry]:
    """Write the sketches of every submission, and give its entry with the score it has."""
    entries = []
    for i in range(submissions):
        files = []
        for j in range(DIFFERENT):
            sketch = made_up(np.random.default_rng((i, j)), anomalous=j % 2 == 1, skill=0.3 - 0.01 * i)
            files.append(folder / f"{i}-{j}.npz")
            files[-1].write_bytes(sketch.to_bytes())
        paths = {case: files[k % DIFFERENT] for k, case in enumerate(cases.labels)}
        once = Stored(paths)
        value = batched_average_precision([Sketch.total(once[case] for case in batch) for batch in cases.deal])
        entries.append(Entry(team=f"T{i:02}", case_set=cases, sketches=Stored(paths), value=value))
    return entries


def case_set(count: int) -> CaseSet:
    """Half of the cases are anomalous; batches of 20."""
    names = [f"{i:04}" for i in range(count)]
    return CaseSet(
        dataset="brain",
        name=CHALLENGE,
        task="pixel",
        labels={name: i % 2 for i, name in enumerate(names)},
        facts={},
        deal=tuple(tuple(names[start : start + BATCH]) for start in range(0, count, BATCH)),
    )


def seconds(once: Callable[[int], float], parts: int = PARTS) -> tuple[float, list[float]]:
    """Give the median seconds of some runs, and what each gave."""
    taken, found = [], []
    for i in range(parts):
        start = time.process_time()
        found.append(once(i))
        taken.append(time.process_time() - start)
    return median(taken), found


def with_scikit_learn(side: int) -> tuple[float, float]:
    """Seconds of one resample of one batch of 256³, and the largest difference from ours."""
    rng = np.random.default_rng(0)
    scores = [np.abs(rng.normal(0.15, 0.06, side**3)).astype(np.float16) for _ in range(BATCH)]
    masks = [(np.arange(side**3) < side**3 // 800) & (i % 2 == 1) for i in range(BATCH)]
    for volume, mask in zip(scores, masks, strict=True):
        volume[mask] += np.float16(0.2)
    names = [str(i) for i in range(BATCH)]
    (counts,) = draws([names], {name: int(mask.any()) for name, mask in zip(names, masks, strict=True)}, resamples=3)
    sketches = [Sketch.of(*case) for case in zip(scores, masks, strict=True)]

    def once(i: int) -> float:
        drawn = np.repeat(np.arange(BATCH), counts[i])
        pooled = np.concatenate([masks[k] for k in drawn]), np.concatenate([scores[k] for k in drawn])
        return float(average_precision_score(*pooled))

    taken, found = seconds(once, len(counts))
    return taken * (SIDE / side) ** 3, float(np.abs(ap_of_sketches(sketches, counts) - found).max())


def with_adding_up(entry: Entry) -> tuple[float, float]:
    """Seconds of one resample of one batch, and the largest difference from ours."""
    batch = entry.case_set.deal[0]
    (counts,) = draws([batch], entry.case_set.labels, resamples=PARTS)
    sketches = [entry.sketches[case] for case in batch]

    def once(i: int) -> float:
        return average_precision(Sketch.total(sketches[k] for k in np.repeat(np.arange(len(batch)), counts[i])))

    taken, found = seconds(once)
    return taken, float(np.abs(ap_of_sketches(sketches, counts) - found).max())


def main() -> None:
    """Print a line for each way."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--submissions", type=int, default=10)
    asked.add_argument("--cases", type=int, default=600)
    asked.add_argument("--resamples", type=int, default=1000)
    asked.add_argument("--naive-side", type=int, default=64)
    given = asked.parse_args()
    cases = case_set(given.cases)
    many = given.submissions * given.resamples * len(cases.deal)  # average precisions of batches
    with tempfile.TemporaryDirectory() as name:
        entries = write(Path(name), given.submissions, cases)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
        start, clock = time.process_time(), time.monotonic()
        standings({"brain": entries}, resamples=given.resamples)
        ours, clock = time.process_time() - start, time.monotonic() - clock
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
        stored = [entry.sketches for entry in entries if isinstance(entry.sketches, Stored)]
        read, distinct = sum(one.read_s for one in stored), sum(one.distinct for one in stored)
        adding, its_difference = with_adding_up(entries[0])
    plain, difference = with_scikit_learn(given.naive_side)
    print(
        f"{given.submissions} submissions, {given.cases} cases of {SIDE}³, {given.resamples} resamples: {ours:.1f} s "
        f"({clock:.1f} on a clock), of which {read:.1f} s reading sketches "
        f"({distinct / given.submissions / given.cases:.0f} scores a case); "
        f"{peak / MEGABYTE:.0f} MB, {before / MEGABYTE:.0f} of them before it started"
    )
    for way, one, apart in (("scikit-learn", plain, difference), ("adding up", adding, its_difference)):
        print(
            f"{way}: {one:.3g} s for one resample of a batch, so {one * many / 3600:.3g} h for all: "
            f"{one * many / ours:,.0f} times as long; largest difference {apart:.1g}"
        )


if __name__ == "__main__":
    main()
