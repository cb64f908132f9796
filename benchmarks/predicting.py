"""Seconds and memory that reference methods take to predict, each as its image does: in a process of its own.

    .venv/bin/python benchmarks/predicting.py [METHOD …] [--weights DIR] [--preset small] [--device cpu] [--volumes 4]

Volumes are brain phantoms of 256³, as published, and of 192 × 192 with 96 slices, which SimpleSliceNet's paper was
timed on. Weights are those that `mood images --weights DIR` has kept, or else drawn at random in a preset's sizes:
what a network has learnt makes it neither faster nor slower. (PCA then has COMPONENTS; PatchCore's bank is as large as
its options say.) Prints a Markdown table:

    start            Python, imports, weights, and what the first volume took longer than the others
    s a volume       wall clock, the median of all volumes but the first: read, scored, calibrated, written
    MB               the highest of the process; of the GPU, what tensors took

The CPU has as many threads as this process may use processors: `taskset --cpu-list 0,1` limits both.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the working tree's own

import numpy as np  # noqa: E402  found by the line above
import torch  # noqa: E402  as above

from reference_submissions.canon.detector import Canon  # noqa: E402  as above
from reference_submissions.dae.detector import Dae  # noqa: E402  as above
from reference_submissions.kit import device  # noqa: E402  as above
from reference_submissions.kit.calibration import HIGHEST, Calibration  # noqa: E402  as above
from reference_submissions.kit.costs import Run, measured  # noqa: E402  as above
from reference_submissions.kit.detector import Detector, Preset  # noqa: E402  as above
from reference_submissions.kit.fitted import Fitted  # noqa: E402  as above
from reference_submissions.method import METHODS, Method  # noqa: E402  as above
from reference_submissions.nets.features import CHANNELS, lite0  # noqa: E402  as above
from reference_submissions.nets.sliced import Sliced  # noqa: E402  as above
from reference_submissions.padim import detector as padim  # noqa: E402  as above
from reference_submissions.patchcore import detector as patchcore  # noqa: E402  as above
from reference_submissions.pca import detector as pca  # noqa: E402  as above
from reference_submissions.shapes.detector import Shapes  # noqa: E402  as above
from reference_submissions.simpleslicenet import detector as simpleslicenet  # noqa: E402  as above
from toy_cases.nifti import write_volume  # noqa: E402  as above
from toy_cases.phantoms import PHANTOMS  # noqa: E402  as above

DATASET = "brain"
SHAPES = ((256, 256, 256), (192, 192, 96))
PUBLISHED = {"simpleslicenet": 0.74, "patchcore": 14.57}  # s for 96 slices of 192²; EDC 0.34
COMPONENTS = 20  # what 32 phantoms gave
PROCESSOR = Path("/proc/cpuinfo")
Made = Callable[[Preset], Detector]


# ---- Methods of a size, untaught ----


def untaught(name: str, preset: Preset) -> Detector:
    """Make a method of a preset's size with random weights."""
    detector = Method.find(name).detector()
    if issubclass(detector, Sliced):
        options = detector.presets[preset]
        return detector(network=detector.made(options), options=options)
    if name in MADE:
        return MADE[name](preset)
    return detector.fit([], preset=preset, seed=0, say=print)  # those that learn nothing


def _canon(preset: Preset) -> Detector:
    first, second = untaught("dae", preset), untaught("shapes", preset)
    if not isinstance(first, Dae) or not isinstance(second, Shapes):
        raise TypeError(f"canon has parts of other kinds: {first}, {second}")
    return Canon(dae=first, shapes=second)


def _padim(preset: Preset) -> Detector:
    options = padim.OPTIONS[preset]
    bands, places, channels = options.bands, (options.side // 4) ** 2, options.channels
    return padim.Padim(
        network=lite0(padim.LEVELS, say=print),
        side=options.side,
        chosen=torch.arange(channels),
        means=torch.rand(bands, places, channels),
        whitenings=torch.rand(bands, places, channels, channels).tril(),
    )


def _patchcore(preset: Preset) -> Detector:
    options = patchcore.OPTIONS[preset]
    count = round(options.share * options.candidates)
    channels = sum(CHANNELS[level] for level in patchcore.LEVELS)
    network = lite0(patchcore.LEVELS, say=print)
    return patchcore.Patchcore(network=network, side=options.side, bank=torch.rand(count, channels))


def _pca(preset: Preset) -> Detector:
    options, rng = pca.OPTIONS[preset], np.random.default_rng(0)
    one = np.ones([options.side] * 3, dtype=np.float32)
    components = rng.normal(0, options.side**-1.5, (COMPONENTS, one.size)).astype(np.float32)
    return pca.Pca(
        mean=0 * one, spread=one, components=components, usual=one, smoothing=options.smoothing, order=options.order
    )


def _simpleslicenet(preset: Preset) -> Detector:
    design = simpleslicenet.OPTIONS[preset].design
    likelihood = simpleslicenet.Likelihood(design)
    network = lite0(simpleslicenet.LEVELS, say=print)
    return simpleslicenet.Simpleslicenet(network=network, likelihood=likelihood, design=design)


MADE: Mapping[str, Made] = {
    "canon": _canon,
    "padim": _padim,
    "patchcore": _patchcore,
    "pca": _pca,
    "simpleslicenet": _simpleslicenet,
}


# ---- Measuring ----


def write_scans(folder: Path, shape: Sequence[int], count: int) -> list[Path]:
    """Draw phantoms; of a flat one every other slice is left out, as its slices lie further apart."""
    folder.mkdir()
    paths = []
    for number in range(count):
        volume = PHANTOMS[DATASET](shape[0], np.random.default_rng([2020, number]))
        paths.append(folder / f"{number}.nii.gz")
        write_volume(paths[-1], volume[:, :, :: shape[0] // shape[2]], np.eye(4))
    return paths


def run(name: str, weights: Path, scans: Sequence[Path]) -> Run:
    """Predict scans in a process of its own."""
    method = Method.find(name)
    return measured(method.module, weights, scans, roots=method.roots)


def cells(taken: Run) -> str:
    """Write what one size of volumes took."""
    gpu = "" if taken.gpu_bytes is None else f" + {taken.gpu_bytes / 1e6:.0f} of the GPU"
    return f"{taken.volume_s:.2f} | {taken.memory_bytes / 1e6:.0f}{gpu}"


def processor() -> str:
    """Name the CPU and say how much of it is used."""
    names = [line.split(":")[1].strip() for line in PROCESSOR.read_text().splitlines() if line.startswith("model name")]
    return f"{names[0] if names else 'unknown CPU'}, {device.processors()} processors"


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("methods", nargs="*", metavar="METHOD", help="all of them, unless some are named")
    asked.add_argument("--weights", type=Path, help="of `mood images --weights`")
    asked.add_argument("--preset", type=Preset, default=Preset.SMALL, help="whose sizes, where no weights are given")
    asked.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    asked.add_argument("--volumes", type=int, default=4, help="of each size; the first warms up")
    given = asked.parse_args()
    if given.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    elif not torch.cuda.is_available():
        raise SystemExit("there is no GPU here, or torch cannot use it")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        scans = {shape: write_scans(work / "x".join(map(str, shape)), shape, given.volumes) for shape in SHAPES}
        whose = "trained" if given.weights else f"{given.preset}, untaught"
        where = processor() if given.device == "cpu" else torch.cuda.get_device_name()
        print(f"{where}; torch {torch.__version__}; {whose}\n")
        print("| method | start, s | 256³: s a volume | MB | 192² × 96: s a volume | MB | published, s |")
        print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
        for method in given.methods or METHODS:
            folder = given.weights / method / DATASET if given.weights else work / method
            if not given.weights:
                calibration = Calibration(usual=1, raw=(0, 1), level=(0, HIGHEST))
                Fitted(detector=untaught(method, given.preset), calibration=calibration).save(folder)
            large, flat = (run(method, folder, each) for each in scans.values())
            published = f"{PUBLISHED[method]:.2f}" if method in PUBLISHED else ""
            print(f"| {method} | {flat.start_s:.1f} | {cells(large)} | {cells(flat)} | {published} |", flush=True)


if __name__ == "__main__":
    main()
