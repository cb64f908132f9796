"""What an evaluation gives: every number of it as plain data, from what was read of each case.

Undefined is None, but 0 inside `ap` and `batches`: an official score is always a number.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from evaluator import __version__, aggregate, notes
from evaluator.aggregate import Scans
from evaluator.deal import Deal
from evaluator.details import Details
from evaluator.metrics import localised, objects, regions, samples, voxels
from evaluator.objects import Detections
from evaluator.readings import NOTE_OF, PixelReading, SampleReading, Status
from evaluator.report import Reading, or_0, or_none, warnings
from evaluator.resolution import Bounds
from evaluator.sketch import Sketch
from evaluator.tasks import SAMPLE

Numbers = dict[str, Any]

DEAL_WARNING: Final = "W-DEAL"
_OF_SKETCH: Final[Mapping[str, Callable[[Sketch], float]]] = {
    "ap": voxels.average_precision,
    "auroc": voxels.auroc,
    "max_dice": voxels.max_dice,
    "fpr_at_95tpr": voxels.fpr_at_95tpr,
}
_AT_BEST_DICE: Final[Mapping[str, Callable[[Sketch], float]]] = {
    "threshold": voxels.best_threshold,
    "accuracy": voxels.accuracy,
    "specificity": voxels.specificity,
    "precision": voxels.precision,
}
_OF_SAMPLES: Final[Mapping[str, Callable[[Sequence[float], Sequence[int]], float]]] = {
    "ap": samples.average_precision,
    "auroc": samples.auroc,
    "max_dice": samples.max_dice,
    "fpr_at_95tpr": samples.fpr_at_95tpr,
}
_SAMPLES_AT_BEST_DICE: Final[Mapping[str, Callable[[Sequence[float], Sequence[int]], float]]] = {
    "threshold": samples.best_threshold,
    "accuracy": samples.accuracy,
    "specificity": samples.specificity,
    "precision": samples.precision,
}
_DETAILED: Final = (  # None without details
    "aupro_30",
    "pl_30",
    "pl_50",
    "pl_package_30",
    "pl_package_50",
    "lesions",
    "slices",
    "volumes",
    "objects",
)
_BY_SCAN: Final = ("ap", "auroc", "max_dice")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A folder of predictions beside its labels."""

    task: str
    cases: Mapping[str, Reading]  # by case file name, ordered by it
    deal: Deal  # of the sample task, one batch
    validation: Deal | None = None  # None: the deal was given, or it is the sample task
    ignored: tuple[str, ...] = ()  # predictions without a label
    not_dealt: tuple[str, ...] = ()  # labels outside a given deal
    deal_warning: str | None = None  # why a batch may lack an anomalous case
    threshold: float | None = None  # of `dice_at`; None: not asked for
    start_s: float = 0.0  # of wall_s: until the parser processes were ready
    wall_s: float = 0.0

    def as_dict(self) -> Numbers:
        """Give what `mood evaluate --json` writes: docs/evaluating.md says what each key is."""
        numbers = self._of_samples() if self.task == SAMPLE else self._of_pixels()
        return {
            "task": self.task,
            **numbers,
            "cases": {name: _case(reading) for name, reading in self.cases.items()},
            "deal": [list(batch) for batch in self.deal],
            "ignored": list(self.ignored),
            "not_dealt": list(self.not_dealt),
            "warnings": self._warnings(),
            "wall_s": self.wall_s,
            "evaluator_version": __version__,
        }

    def _of_pixels(self) -> Numbers:
        sketches = {name: reading.sketch for name, reading in self.cases.items() if isinstance(reading, PixelReading)}
        found = [reading.details for reading in self.cases.values() if isinstance(reading, PixelReading)]
        details = [one for one in found if one is not None]  # all or none
        batches = [Sketch.total(sketches[name] for name in batch) for batch in self.deal]
        whole = Sketch.total([*batches, *(sketches[name] for name in self.not_dealt)])
        bounds = Bounds.batched(batches)
        return {
            "ap": voxels.batched_average_precision(batches),
            "batches": [or_0(voxels.average_precision(batch)) for batch in batches],
            "ap_bounds": [or_none(bounds.low), or_none(bounds.high)],
            "validation": self._validated(sketches),
            "distinct": whole.distinct,
            **{f"dataset_{name}": or_none(metric(whole)) for name, metric in _OF_SKETCH.items()},
            "dataset_at_max_dice": {name: or_none(metric(whole)) for name, metric in _AT_BEST_DICE.items()},
            "dice_at": self._dice_at(lambda threshold: voxels.dice_at(whole, threshold)),
            "scan_level": _scan_level(list(sketches.values())),
            **(_of_details(whole, list(sketches.values()), details) if details else dict.fromkeys(_DETAILED)),
        }

    def _of_samples(self) -> Numbers:
        found = {name: reading for name, reading in self.cases.items() if isinstance(reading, SampleReading)}
        of_deal = [found[name] for batch in self.deal for name in batch]
        official = or_0(samples.average_precision([one.score for one in of_deal], [one.label for one in of_deal]))
        scores, labels = [one.score for one in found.values()], [one.label for one in found.values()]
        return {
            "ap": official,
            "batches": [official],
            "distinct": len(set(scores)),
            **{f"dataset_{name}": or_none(metric(scores, labels)) for name, metric in _OF_SAMPLES.items()},
            "dataset_at_max_dice": {
                name: or_none(metric(scores, labels)) for name, metric in _SAMPLES_AT_BEST_DICE.items()
            },
            "dice_at": self._dice_at(lambda threshold: samples.dice_at(scores, labels, threshold)),
        }

    def _validated(self, sketches: Mapping[str, Sketch]) -> Numbers | None:
        if self.validation is None:
            return None
        batches = [Sketch.total(sketches[name] for name in batch) for batch in self.validation]
        return {
            "ap": voxels.batched_average_precision(batches),
            "batches": [or_0(voxels.average_precision(batch)) for batch in batches],
            "deal": [list(batch) for batch in self.validation],
        }

    def _dice_at(self, dice: Callable[[float], float]) -> Numbers | None:
        if self.threshold is None:
            return None
        return {"threshold": self.threshold, "dice": or_none(dice(self.threshold))}

    def _warnings(self) -> list[Numbers]:
        found = [
            {"code": code, "count": count, "sentence": notes.SENTENCES[code]}
            for code, count in warnings(list(self.cases.values())).items()
        ]
        if self.deal_warning:
            found.append({"code": DEAL_WARNING, "count": len(self.deal), "sentence": self.deal_warning})
        return found


def _of_details(whole: Sketch, sketches: Sequence[Sketch], details: Sequence[Details]) -> Numbers:
    total = Details.total(details)
    slices, boxes = total.slices, total.localised
    return {
        "aupro_30": or_none(regions.aupro(whole, total.regions, limit=0.3)),
        "pl_30": or_none(localised.pl(boxes, 0.3)),
        "pl_50": or_none(localised.pl(boxes, 0.5)),
        "pl_package_30": or_none(localised.pl_package(boxes, 0.3)),
        "pl_package_50": or_none(localised.pl_package(boxes, 0.5)),
        "lesions": {"components": total.regions.n_components, "boxes": boxes.boxes},
        "slices": {
            "n": slices.n_voxels,
            "anomalous": slices.n_positive,
            **{name: or_none(metric(slices)) for name, metric in _OF_SKETCH.items()},
        },
        "volumes": _volumes(sketches, details),
        "objects": None if total.objects is None else _objects(total.objects),
    }


def _objects(found: Detections) -> Numbers:
    return {
        "objects": found.objects,
        "detections": found.detections,
        "true_positives": found.true_positives,
        "precision": or_none(objects.precision(found)),
        "recall": or_none(objects.recall(found)),
        "f1": or_none(objects.f1(found)),
    }


def _scan_level(sketches: Sequence[Sketch]) -> Numbers:
    return {name: _scans(aggregate.by_scan(_OF_SKETCH[name], sketches)) for name in _BY_SCAN}


def _volumes(sketches: Sequence[Sketch], details: Sequence[Details]) -> Numbers:
    """SimpleSliceNet's protocol: the means over volumes, and over how many."""
    found = aggregate.per_volume(sketches, [one.regions for one in details])
    (n, left_out), *_ = ((scans.n, scans.left_out) for scans in found.values())
    return {**{name: or_none(scans.mean) for name, scans in found.items()}, "n": n, "left_out": left_out}


def _scans(found: Scans) -> Numbers:
    return {
        "mean": or_none(found.mean),
        "median": or_none(found.median),
        "n": found.n,
        "left_out": found.left_out,
        "histogram": {"edges": list(found.edges), "counts": list(found.counts)},
    }


def _case(reading: Reading) -> Numbers:
    """Give one case; of the sample task, its score, as one case has no average precision."""
    own: Numbers = {"score": reading.score} if isinstance(reading, SampleReading) else {}
    details = reading.details if isinstance(reading, PixelReading) else None
    if details and details.objects:
        own["objects"] = _objects(details.objects) | {"largest": [asdict(one) for one in details.objects.largest]}
    return {
        "ap": or_none(voxels.average_precision(reading.sketch)) if isinstance(reading, PixelReading) else None,
        "missing": reading.status is not Status.OK,
        "reason": None if reading.status is Status.OK else notes.SENTENCES[NOTE_OF[reading.status]],
        "seconds": reading.seconds,
        "label": reading.label,
        "status": str(reading.status),
        "notes": dict(reading.notes),
        **own,
    }
