"""Every metric by name. Each is tested for the properties that all share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from evaluator.metrics import samples, voxels


class Of(Enum):
    """What a metric is a function of."""

    SKETCH = "the sketch of some cases, voxels pooled"
    BATCHES = "the sketches of batches"
    CASES = "one score and one label a case"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric, as tables name it."""

    title: str
    of: Of
    compute: Callable[..., Any]  # takes what `of` says; gives a float, nan where undefined


METRICS: Final[Mapping[str, Metric]] = {
    "voxel_ap": Metric(title="AP (voxels)", of=Of.SKETCH, compute=voxels.average_precision),
    "batched_voxel_ap": Metric(title="AP (mean over batches)", of=Of.BATCHES, compute=voxels.batched_average_precision),
    "sample_ap": Metric(title="AP (cases)", of=Of.CASES, compute=samples.average_precision),
}
