"""Average precision the published way: read whole volumes, put all voxels behind one another, sort them.

    python benchmarks/plain.py PREDICTIONS LABELS COUNT

scores the first COUNT files as one batch and prints JSON: the result, seconds without the process's start, and
its peak resident bytes. As MOOD's script of 2020 does it: `get_fdata(dtype=float16)`, clip, label above 0.5,
`flatten`, concatenate, scikit-learn's `average_precision_score`.
"""

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import nibabel
import numpy as np
from sklearn.metrics import average_precision_score

POSITIVE_ABOVE = 0.5


def average_precision(pairs: Iterable[tuple[Path, Path]]) -> float:
    """Score the voxels of all pairs of prediction and label together."""
    scores, labels = [], []
    for prediction, label in pairs:
        given = nibabel.Nifti1Image.from_filename(prediction).get_fdata(dtype=np.float16)
        truth = nibabel.Nifti1Image.from_filename(label).get_fdata()
        scores.append(np.clip(given, 0, 1).flatten())
        labels.append((truth > POSITIVE_ABOVE).flatten())
    return float(average_precision_score(np.concatenate(labels), np.concatenate(scores)))


def peak_bytes() -> int:
    """Give this process's highest resident memory; Linux."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Score, and print what it took."""
    predictions, labels, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    names = sorted(path.name for path in labels.iterdir())[:count]
    start = time.perf_counter()
    found = average_precision((predictions / name, labels / name) for name in names)
    seconds = time.perf_counter() - start
    print(json.dumps({"ap": found, "seconds": seconds, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
