"""The metrics that stand beside the official score: of one data set, by the names that boards and files have.

Undefined is None.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from evaluator.details import Details
from evaluator.metrics import localised, objects, regions, samples, voxels
from evaluator.objects import Detections
from evaluator.report import or_none
from evaluator.sketch import Sketch

Numbers = dict[str, float | None]

_OF_SAMPLES: Final[Mapping[str, Callable[[Sequence[float], Sequence[int]], float]]] = {
    "dataset_auroc": samples.auroc,
    "dataset_max_dice": samples.max_dice,
    "dataset_fpr_at_95tpr": samples.fpr_at_95tpr,
}
_OF_SKETCH: Final[Mapping[str, Callable[[Sketch], float]]] = {
    "dataset_ap": voxels.average_precision,
    "dataset_auroc": voxels.auroc,
    "dataset_max_dice": voxels.max_dice,
    "dataset_fpr_at_95tpr": voxels.fpr_at_95tpr,
}
_OF_DETAILS: Final[Mapping[str, Callable[[Sketch, Details], float]]] = {
    "aupro_30": lambda whole, details: regions.aupro(whole, details.regions, limit=0.3),
    "pl_30": lambda _, details: localised.pl(details.localised, 0.3),
    "pl_50": lambda _, details: localised.pl(details.localised, 0.5),
}
_OF_OBJECTS: Final[Mapping[str, Callable[[Detections], float]]] = {
    "object_f1": objects.f1,
    "object_precision": objects.precision,
    "object_recall": objects.recall,
}


def of_samples(scores: Sequence[float], labels: Sequence[int]) -> Numbers:
    """Compute the sample task's: one score in [0, 1] and one label a case."""
    return {name: or_none(metric(scores, labels)) for name, metric in _OF_SAMPLES.items()}


def of_voxels(whole: Sketch, details: Details | None) -> Numbers:
    """Compute the pixel task's, the voxels of all cases pooled.

    `details` are those of all cases, added up; None where those of one cannot be had. Then what is made of them is
    None, and what is made of objects where no threshold was given.
    """
    found = details.objects if details else None
    return {
        **{name: or_none(metric(whole)) for name, metric in _OF_SKETCH.items()},
        **{name: or_none(metric(whole, details)) if details else None for name, metric in _OF_DETAILS.items()},
        **{name: or_none(metric(found)) if found else None for name, metric in _OF_OBJECTS.items()},
    }
