"""Every metric by name. Each is tested for the properties that all share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Final

from evaluator.metrics import localised, objects, regions, samples, voxels


class Of(Enum):
    """What a metric is a function of."""

    SKETCH = "the sketch of some cases, voxels pooled"
    SKETCH_AT = "such a sketch, and a threshold"
    BATCHES = "the sketches of batches"
    SKETCH_AND_REGIONS = "such a sketch, and the regions of the same cases"
    REGIONS_AT = "the regions of some cases, and a threshold"
    LOCALISED = "the lesions' boxes of some cases, and what was predicted there"
    DETECTIONS = "the objects and detections of some cases"
    CASES = "one score and one label a case"
    CASES_AT = "one score and one label a case, and a threshold"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric, as tables name it. Its value lies in [0, 1], or is nan where it is undefined.

    Every metric is undefined without a positive, where `needs_negative` without a negative too; those of detections
    are undefined without what they count.
    """

    title: str
    of: Of
    compute: Callable[..., Any]  # takes what `of` says; gives a float, nan where undefined
    needs_negative: bool = False
    lower_is_better: bool = False


METRICS: Final[Mapping[str, Metric]] = {
    "voxel_ap": Metric(title="AP (voxels)", of=Of.SKETCH, compute=voxels.average_precision),
    "batched_voxel_ap": Metric(title="AP (mean over batches)", of=Of.BATCHES, compute=voxels.batched_average_precision),
    "voxel_auroc": Metric(title="AUROC (voxels)", of=Of.SKETCH, compute=voxels.auroc, needs_negative=True),
    "voxel_fpr_at_95tpr": Metric(
        title="FPR@95TPR (voxels)",
        of=Of.SKETCH,
        compute=voxels.fpr_at_95tpr,
        needs_negative=True,
        lower_is_better=True,
    ),
    "voxel_max_dice": Metric(title="Best Dice (voxels)", of=Of.SKETCH, compute=voxels.max_dice),
    "voxel_dice_at": Metric(title="Dice at a threshold (voxels)", of=Of.SKETCH_AT, compute=voxels.dice_at),
    "voxel_accuracy": Metric(title="Accuracy at best F1 (voxels)", of=Of.SKETCH, compute=voxels.accuracy),
    "voxel_specificity": Metric(
        title="Specificity at best F1 (voxels)", of=Of.SKETCH, compute=voxels.specificity, needs_negative=True
    ),
    "voxel_precision": Metric(title="Precision at best F1 (voxels)", of=Of.SKETCH, compute=voxels.precision),
    "aupro_30": Metric(
        title="AUPRO (FPR up to 0.3)", of=Of.SKETCH_AND_REGIONS, compute=regions.aupro, needs_negative=True
    ),
    "pro_at": Metric(title="PRO at a threshold", of=Of.REGIONS_AT, compute=regions.pro_at),
    "pl_30": Metric(title="PL (IoU above 0.3)", of=Of.LOCALISED, compute=partial(localised.pl, limit=0.3)),
    "pl_50": Metric(title="PL (IoU above 0.5)", of=Of.LOCALISED, compute=partial(localised.pl, limit=0.5)),
    "pl_package_30": Metric(
        title="PL (IoU above 0.3), the package's thresholds",
        of=Of.LOCALISED,
        compute=partial(localised.pl_package, limit=0.3),
    ),
    "pl_package_50": Metric(
        title="PL (IoU above 0.5), the package's thresholds",
        of=Of.LOCALISED,
        compute=partial(localised.pl_package, limit=0.5),
    ),
    "object_precision": Metric(title="Precision (objects)", of=Of.DETECTIONS, compute=objects.precision),
    "object_recall": Metric(title="Recall (objects)", of=Of.DETECTIONS, compute=objects.recall),
    "object_f1": Metric(title="F1 (objects)", of=Of.DETECTIONS, compute=objects.f1),
    "sample_ap": Metric(title="AP (cases)", of=Of.CASES, compute=samples.average_precision),
    "sample_auroc": Metric(title="AUROC (cases)", of=Of.CASES, compute=samples.auroc, needs_negative=True),
    "sample_fpr_at_95tpr": Metric(
        title="FPR@95TPR (cases)",
        of=Of.CASES,
        compute=samples.fpr_at_95tpr,
        needs_negative=True,
        lower_is_better=True,
    ),
    "sample_max_dice": Metric(title="Best F1 (cases)", of=Of.CASES, compute=samples.max_dice),
    "sample_dice_at": Metric(title="F1 at a threshold (cases)", of=Of.CASES_AT, compute=samples.dice_at),
    "sample_accuracy": Metric(title="Accuracy at best F1 (cases)", of=Of.CASES, compute=samples.accuracy),
    "sample_specificity": Metric(
        title="Specificity at best F1 (cases)", of=Of.CASES, compute=samples.specificity, needs_negative=True
    ),
    "sample_precision": Metric(title="Precision at best F1 (cases)", of=Of.CASES, compute=samples.precision),
}
