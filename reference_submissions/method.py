"""A method's folder: where its code lies, how Python finds it, and how it is trained."""

import inspect
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from reference_submissions.kit.costs import FILE, Cost, measured
from reference_submissions.kit.detector import Array, Detector, Preset, Say, detector_in
from reference_submissions.kit.fitted import Fitted
from reference_submissions.kit.volumes import Files

HERE = Path(__file__).resolve().parent
CODE = "detector.py"
METHODS = tuple(sorted({path.parent.name for path in HERE.glob(f"*/{CODE}")} - {"kit"}))
MEASURED = 2  # scans; the first of them warms up
SLACK = 0.1  # that interpolation may lead out of [0, 1]


@dataclass(frozen=True)
class Method:
    """A folder with a detector.py: a reference submission's, or anybody's."""

    folder: Path  # absolute

    @classmethod
    def find(cls, given: str) -> "Method":
        """A reference submission by its name, or a folder by its path. Raises ValueError where there is none."""
        folder = HERE / given if given in METHODS else Path(given).resolve()
        if not (folder / CODE).is_file():
            raise ValueError(
                f"no reference submission {given!r}, and no folder with a {CODE}; there are {', '.join(METHODS)}"
            )
        return cls(folder)

    @property
    def name(self) -> str:
        """The folder's."""
        return self.folder.name

    @property
    def package(self) -> str:
        """As it is imported."""
        return f"{HERE.name}.{self.name}" if self.folder.parent == HERE else self.name

    @property
    def module(self) -> str:
        """The module that defines the detector."""
        return f"{self.package}.{Path(CODE).stem}"

    @property
    def roots(self) -> tuple[str, ...]:
        """Where Python has to look for its package and for the kit."""
        own = () if self.folder.parent == HERE else (str(self.folder.parent),)
        return str(HERE.parent), *own

    def detector(self) -> type[Detector]:
        """Import it.

        Raises ModuleNotFoundError where a package that it needs is not installed, ValueError where Python finds
        something else by its name.
        """
        sys.path += [root for root in self.roots if root not in sys.path]
        found = detector_in(self.module)
        file = Path(inspect.getfile(found)).resolve()
        if file != self.folder / CODE:
            raise ValueError(f"{self.name} is {file.parent} to Python, not {self.folder}: give the folder another name")
        return found

    def train(self, training: Path, weights: Path, *, preset: Preset, seed: int, say: Say) -> Cost:
        """Fit to the `*.nii.gz` of a folder, measure, and write all of it to another folder.

        Raises ValueError where there are too few scans, ChildProcessError where the method cannot predict.
        """
        detector = self.detector()
        volumes = Files.of(training)
        if not volumes:
            raise ValueError(f"{training}: no *.nii.gz in it, and normal scans are what {self.name} learns from")
        low, high, shape = _extent(volumes[0])
        if low < -SLACK or high > 1 + SLACK:
            say(f"warning: {volumes.paths[0]} lies in {low:g} to {high:g}; a challenge's scans are scaled to [0, 1]")
        begun = time.monotonic()
        try:
            model = Fitted.fit(detector, volumes, preset=preset, seed=seed, say=say)
        except ValueError as error:
            raise ValueError(f"{self.name}, {training}: {error}") from error
        training_s = time.monotonic() - begun
        model.save(weights)
        parameters = model.detector.cost()
        cost = Cost(
            method=detector.name,
            preset=preset,
            seed=seed,
            trainable_parameters=parameters.trainable,
            fixed_parameters=parameters.fixed,
            training_volumes=len(volumes),
            training_s=training_s,
            volume_shape=shape,
            predicting=measured(self.module, weights, volumes.paths[:MEASURED], roots=self.roots),
        )
        cost.save(weights)
        say(f"trained in {training_s:.1f} s; {cost.predicting.sentence()}")
        return cost

    def is_trained(self, weights: Path) -> bool:
        """Has `train` finished with this folder?"""
        return (weights / FILE).is_file()


def _extent(volume: Array) -> tuple[float, float, tuple[int, ...]]:
    """Its lowest and its highest voxel, and its shape: what is kept of a scan that is read for a look."""
    return float(volume.min()), float(volume.max()), volume.shape
