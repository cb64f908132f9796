"""How much faster a sketch gives average precision than sorting every voxel: `python benchmarks/sketch.py [SIDE]`.

Both read the same files (gzip level 1, float32 holding half-precision values) and must give the same bits.
The two take turns, so that a busy machine slows both.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import nibabel
import numpy as np
from sklearn.metrics import average_precision_score

from evaluator.formats import read_pixel
from evaluator.metrics.voxels import average_precision

ROUNDS = 5


def write(folder: Path, side: int) -> None:
    """Write a noisy prediction of side³ voxels and a sphere as its label."""
    rng = np.random.default_rng(0)
    axis = np.arange(side) - side / 2
    distance = np.sqrt(sum(grid**2 for grid in np.meshgrid(axis, axis, axis, indexing="ij")))
    label = distance < side / 8
    scores = (0.3 * label + np.abs(rng.normal(0, 0.2, label.shape))).astype(np.float16).astype(np.float32)
    nibabel.openers.Opener.default_compresslevel = 1
    nibabel.save(nibabel.Nifti1Image(scores, np.eye(4)), folder / "prediction.nii.gz")
    nibabel.save(nibabel.Nifti1Image(label.astype(np.uint8), np.eye(4)), folder / "label.nii.gz")


def by_sketch(folder: Path, side: int) -> float:
    """Count, then add up."""
    with (folder / "prediction.nii.gz").open("rb") as prediction, (folder / "label.nii.gz").open("rb") as label:
        return average_precision(read_pixel(prediction, label, (side,) * 3).sketch)


def by_sorting(folder: Path, side: int) -> float:
    """As the published script does it: nibabel reads the whole, scikit-learn sorts it."""
    del side
    scores = nibabel.Nifti1Image.from_filename(folder / "prediction.nii.gz").get_fdata(dtype=np.float16)
    label = nibabel.Nifti1Image.from_filename(folder / "label.nii.gz").get_fdata() > 0.5  # noqa: PLR2004  the published threshold
    return float(average_precision_score(label.ravel(), np.clip(scores, 0, 1).ravel()))


def timed(way: Callable[[Path, int], float], folder: Path, side: int) -> tuple[float, float]:
    """Give seconds and result."""
    start = time.perf_counter()
    found = way(folder, side)
    return time.perf_counter() - start, found


def main() -> None:
    """Measure and print."""
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 128
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, side)
        rounds = [(timed(by_sketch, folder, side), timed(by_sorting, folder, side)) for _ in range(ROUNDS)]
    sketch_s, sorting_s = (median(one[way][0] for one in rounds) for way in (0, 1))
    same = len({found for one in rounds for _, found in one}) == 1
    print(f"{side}³ voxels, median of {ROUNDS}: sketch {sketch_s:.3f} s, sorting {sorting_s:.3f} s")
    print(f"ratio {sorting_s / sketch_s:.1f}, results {'bit-identical' if same else 'DIFFER'}")


if __name__ == "__main__":
    main()
