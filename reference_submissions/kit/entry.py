"""What an image's four scripts call: a folder of scans in, a folder of predictions out.

    python -m reference_submissions.kit.entry MODULE WEIGHTS TASK DATA PRED

While one scan is scored the next is read, and the last one's scores are calibrated and written. Each scan is read
once, and nothing is written but predictions.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from reference_submissions.kit import nifti
from reference_submissions.kit.calibration import Calibration
from reference_submissions.kit.costs import Run, gpu_of_torch, peak_memory_bytes
from reference_submissions.kit.detector import Scores, detector_in
from reference_submissions.kit.fitted import Fitted

NOTHING = np.zeros((0, 0, 0), dtype=np.float32)


def main(arguments: list[str] | None = None) -> None:
    """Read the command line (argparse ends the program when it is wrong), predict, say what it took."""
    # Threads of torch that have nothing to do sleep; it reads this when it is imported. Else they turn in circles for a
    # while, at the cost of whoever has work: 96 slices took 25 s instead of 7 where other processes were busy too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    parser = argparse.ArgumentParser()
    parser.add_argument("module", help="that defines the detector")
    parser.add_argument("weights", type=Path, help="the data set's folder of them")
    parser.add_argument("task", choices=("sample", "pixel"))
    parser.add_argument("data", type=Path, help="*.nii.gz, one scan each")
    parser.add_argument("pred", type=Path, help="where the predictions go")
    parser.add_argument("--run", type=Path, help="write what it took to this file, as JSON")
    given = parser.parse_args(arguments)
    begun = time.monotonic()
    model = Fitted.load(detector_in(given.module), given.weights)
    start_s = time.monotonic() - begun
    seconds = predict(model, task=given.task, data=given.data, pred=given.pred)
    device, gpu_bytes = gpu_of_torch()
    run = Run(
        volumes=len(seconds),
        start_s=start_s,
        volume_s=statistics.median(seconds[1:] or seconds or [0.0]),
        memory_bytes=peak_memory_bytes(),
        device=device,
        gpu_bytes=gpu_bytes,
    )
    print(run.sentence())
    if given.run:
        given.run.write_text(json.dumps(asdict(run)), encoding="utf-8")


def predict(model: Fitted, *, task: str, data: Path, pred: Path) -> list[float]:
    """Predict every scan of a folder; gives the seconds from one that was written to the next."""
    paths = sorted(data.glob("*.nii.gz"))
    done = [time.monotonic()]  # and then when each was written
    with ThreadPoolExecutor(max_workers=2) as beside:
        written: Future[float] | None = None
        for number, (path, scan) in enumerate(_read_ahead(paths, beside), start=1):
            begun = time.monotonic()
            raw = model.detector.score(scan.voxels)
            print(f"{number}/{len(paths)} {path.name}: {time.monotonic() - begun:.2f} s", flush=True)
            if written is not None:
                done.append(written.result())  # one map waits in memory; what went wrong with it ends the program
            like = replace(scan, voxels=NOTHING)  # the map is written while further scans fill the memory
            written = beside.submit(_write, model.calibration, task, pred, path.name, raw, like)
        if written is not None:
            done.append(written.result())
    return [after - before for before, after in pairwise(done)]


def _read_ahead(paths: Sequence[Path], beside: ThreadPoolExecutor) -> Iterator[tuple[Path, nifti.Scan]]:
    """Each scan, while the one after it is being read."""
    coming = [beside.submit(nifti.read, path) for path in paths[:1]]
    for number, path in enumerate(paths, start=1):
        scan = coming.pop().result()
        coming += [beside.submit(nifti.read, after) for after in paths[number : number + 1]]
        yield path, scan


def _write(calibration: Calibration, task: str, pred: Path, name: str, raw: Scores, like: nifti.Scan) -> float:
    """Calibrate and write what the task asks for; gives when that was done, of a monotonic clock."""
    if task == "sample":
        (pred / f"{name}.txt").write_text(f"{calibration.of_sample(raw.sample)!r}\n", encoding="ascii")
    else:
        nifti.write(pred / name, calibration.of_voxels(raw.voxels), like)
    return time.monotonic()


if __name__ == "__main__":
    main(sys.argv[1:])
