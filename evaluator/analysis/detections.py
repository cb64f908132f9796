"""Objects found: the thesis's section 4.2, at the threshold that the team's own toy cases fix. Pixel task alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluator.analysis.entries import Entry
from evaluator.analysis.groups import FEWEST
from evaluator.analysis.tables import Column, Row, Table, table
from evaluator.analysis.words import DATASET, TEAM, counted, listed
from evaluator.metrics import objects
from evaluator.objects import Detections
from evaluator.report import or_none
from evaluator.tasks import SAMPLE

COLUMNS = (
    DATASET,
    TEAM,
    Column(name="threshold", title="Threshold", kind="number"),
    Column(name="objects", title="Annotated objects", kind="count", unit="objects"),
    Column(name="detections", title="Detections", kind="count", unit="objects"),
    Column(name="true_positives", title="True positives", kind="count", unit="objects"),
    Column(name="precision", title="Precision", kind="number"),
    Column(name="recall", title="Recall", kind="number"),
    Column(name="f1", title="F1", kind="number"),
    Column(name="unmatched", title="Unmatched detections", kind="count", unit="objects"),
    Column(name="judged", title="Judged by an expert", kind="count", unit="objects"),
)
CAPTION = (
    "Voxels whose score reaches the threshold, the one with the best Dice on the team's own toy cases, make connected "
    "components (26 neighbours); those under the challenge's least volume are dropped, the others are detections. A "
    "detection is a true positive where its centre of mass lies in an annotated object and the two volumes differ by "
    "at most a factor 2; each object is found once, by the largest. Unmatched detections are not all wrong: an expert "
    "may judge them. All hidden cases of the pixel task together. A constant score has no detections."
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """One submission's detections."""

    team: str
    threshold: float | None
    total: Detections
    counted: int  # cases
    missing: int  # cases of which nothing is kept
    judged: int


def found_objects(entry: Entry) -> Found:
    """Add up a submission's detections. Asks for each case's details once, one after the other."""
    total, counted_cases = Detections.total(()), 0
    for case in entry.case_set.labels:
        found = _objects(entry, case)
        if found is not None:
            total = Detections.total((total, found))
            counted_cases += 1
    return Found(
        team=entry.team,
        threshold=entry.object_threshold,
        total=total,
        counted=counted_cases,
        missing=len(entry.case_set.labels) - counted_cases,
        judged=entry.judged,
    )


def detections(found: Mapping[str, Sequence[Found]], task: str) -> Table:
    """Make the table."""
    rows = [_row(dataset, one) for dataset, of in found.items() for one in of if one.counted]
    notes = ["Objects are of the pixel task alone."] if task == SAMPLE else list(_notes(found))
    return table("detections", "Objects found", CAPTION, COLUMNS, rows, *notes)


def _objects(entry: Entry, case: str) -> Detections | None:
    """Read a case's; None where nothing usable is kept of it: the other cases still count."""
    try:
        return entry.details[case].objects
    except (KeyError, ValueError, OSError):
        return None


def _row(dataset: str, one: Found) -> Row:
    return {
        "dataset": dataset,
        "team": one.team,
        "threshold": one.threshold,
        "objects": one.total.objects,
        "detections": one.total.detections,
        "true_positives": one.total.true_positives,
        "precision": _of_all(one, objects.precision),
        "recall": _of_all(one, objects.recall),
        "f1": _of_all(one, objects.f1),
        "unmatched": one.total.detections - one.total.true_positives,
        "judged": one.judged,
    }


def _of_all(one: Found, metric: Callable[[Detections], float]) -> float | None:
    """Give a metric of all cases; None where any is missing: it would stand beside others of all cases."""
    return None if one.missing else or_none(metric(one.total))


def _notes(found: Mapping[str, Sequence[Found]]) -> Iterator[str]:
    for dataset, of in found.items():
        without = [one.team for one in of if not one.counted]
        if without:
            yield (
                f"{dataset}: nothing is kept of the objects of {listed(without)}: the toy cases gave no threshold, or "
                "the submission was scored before objects were kept."
            )
        for one in of:
            if one.counted and one.missing:
                yield (
                    f"{dataset}: without {counted(one.missing, 'case')} of {one.team}, of which nothing is kept, so "
                    "precision, recall and F1 are undefined."
                )
        few = max((one.total.objects for one in of if one.counted), default=FEWEST)
        if few < FEWEST:
            yield f"{dataset}: there are fewer than {FEWEST} annotated objects ({few}), too few to say anything."
