"""A report on toy cases in words, plots and pictures: for a submission's page, and for one of its own (`mood try`)."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Self

from markupsafe import Markup
from pydantic import BaseModel, Field, FiniteFloat, ValidationError, model_validator

from evaluator import notes
from server import messages
from server.protocol import Sha256, Task, WarningCode
from server.web.pictures import Window
from server.web.plots import Curve, Histogram, curve_svg, histogram_svg
from server.web.rendering import STATIC, Pages, number, score

log = logging.getLogger(__name__)

UNITS = {Task.PIXEL: "voxels", Task.SAMPLE: "cases"}
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Picture = Callable[[int, str], str]  # (place of a case, sha256 of its slices) -> address of a picture


@dataclass(frozen=True, kw_only=True)
class ToyCaseView:
    """One toy case of a report."""

    case: str
    is_anomalous: bool
    value: str  # sample task: its score; pixel task: its average precision
    notes: tuple[str, ...]  # empty: read, and nothing odd about it
    picture: str | None  # address: truth and scores side by side


@dataclass(frozen=True, kw_only=True)
class ReportView:
    """A report on toy cases, in words, with its plots."""

    task: Task
    ap: float | None
    bounds: tuple[float, float] | None  # of `ap` before rounding; None: nothing was rounded
    distinct: int
    wall_s: float | None  # None: nothing was run
    peak_memory_bytes: int | None  # None: too short to measure
    cases: tuple[ToyCaseView, ...]
    warnings: tuple[tuple[str, str], ...]  # code, sentence
    curve: Markup | None  # None: made by an evaluator that kept none, or nothing is anomalous
    histogram: Markup | None
    window: Window  # of the pictures' colours
    evaluator_version: str

    @property
    def unit(self) -> str:
        """What is counted."""
        return UNITS[self.task]

    @property
    def has_pictures(self) -> bool:
        """Is there a slice to look at?"""
        return any(case.picture for case in self.cases)


class StoredCase(BaseModel):
    """One case of a report, as a worker sent it."""

    case: str
    label: int
    score: float | None = None  # sample task
    ap: float | None = None  # pixel task
    notes: dict[str, int]
    slices_sha256: Sha256 | None = None  # pixel task, in the store


class StoredWarning(BaseModel):
    """One kind of warning of a report."""

    code: str
    count: int


class StoredCurve(BaseModel):
    """Precision at each recall."""

    recall: list[Share] = Field(max_length=1000)
    precision: list[Share] = Field(max_length=1000)

    @model_validator(mode="after")
    def pairs(self) -> Self:
        """Refuse what cannot be drawn."""
        if len(self.recall) != len(self.precision) or self.recall != sorted(self.recall):
            raise ValueError("recall rises, and each has a precision")
        return self


class StoredHistogram(BaseModel):
    """How many scores of each class are between the edges."""

    edges: list[FiniteFloat] = Field(min_length=2, max_length=1000)
    normal: list[Count]
    anomalous: list[Count]

    @model_validator(mode="after")
    def fits(self) -> Self:
        """Refuse what cannot be drawn."""
        if not len(self.edges) - 1 == len(self.normal) == len(self.anomalous) or self.edges != sorted(self.edges):
            raise ValueError("edges rise, and are one more than counts")
        return self


class StoredReport(BaseModel):
    """evaluator.report.toy_report, as a worker sent it: checked before it is shown."""

    task: Task
    ap: float | None
    ap_bounds: tuple[float, float] | None
    distinct: int
    wall_s: float | None
    peak_memory_bytes: int | None
    cases: list[StoredCase]
    warnings: list[StoredWarning]
    curve: StoredCurve | None = None
    histogram: StoredHistogram | None = None
    evaluator_version: str = ""


def stored(report: Mapping[str, Any]) -> StoredReport | None:
    """Check a report. None: it is not one, which is a worker's doing and no reason to hide a page."""
    try:
        return StoredReport.model_validate(report)
    except ValidationError as error:
        log.warning("a stored toy report cannot be shown", extra={"error": str(error)})
        return None


def report_view(report: Mapping[str, Any], picture: Picture = lambda _place, _sha256: "") -> ReportView | None:
    """Put a report into words and plots; `picture` tells where its pictures are. None: it is not one."""
    found = stored(report)
    if found is None:
        return None
    kept = {place: case.slices_sha256 for place, case in enumerate(found.cases) if case.slices_sha256}
    return view_of(found, pictures={place: picture(place, sha256) for place, sha256 in kept.items()})


def view_of(found: StoredReport, *, pictures: Mapping[int, str]) -> ReportView:
    """Put a report into words and plots; `pictures` are addresses by the cases' places."""
    histogram = drawable(found.histogram)
    chance = histogram.prevalence if histogram else None
    curve = Curve(recall=found.curve.recall, precision=found.curve.precision) if found.curve else None
    return ReportView(
        task=found.task,
        ap=found.ap,
        bounds=found.ap_bounds if found.ap_bounds and found.ap_bounds[0] < found.ap_bounds[1] else None,
        distinct=found.distinct,
        wall_s=found.wall_s,
        peak_memory_bytes=found.peak_memory_bytes,
        cases=tuple(case_view(case, found.task, pictures.get(place)) for place, case in enumerate(found.cases)),
        warnings=tuple((one.code, sentence(one.code, one.count)) for one in found.warnings),
        curve=curve_svg(curve, ap=found.ap, chance=chance) if curve and curve.recall else None,
        histogram=histogram_svg(histogram, of=UNITS[found.task]) if histogram else None,
        window=window_of(found),
        evaluator_version=found.evaluator_version,
    )


def case_view(case: StoredCase, task: Task, picture: str | None) -> ToyCaseView:
    """Put one case into words."""
    return ToyCaseView(
        case=case.case,
        is_anomalous=bool(case.label),
        value=score(case.score) if task is Task.SAMPLE else number(case.ap),
        notes=tuple(case_note(code, count) for code, count in case.notes.items()),
        picture=picture or None,
    )


def drawable(histogram: StoredHistogram | None) -> Histogram | None:
    """Give the counts to a plot; None where nothing was counted."""
    if histogram is None or not any((*histogram.normal, *histogram.anomalous)):
        return None
    return Histogram(edges=histogram.edges, normal=histogram.normal, anomalous=histogram.anomalous)


def window_of(report: StoredReport) -> Window:
    """Between which scores the pictures' colours run: from the lowest to the highest of all toy cases."""
    if report.histogram is None:
        return Window(low=0.0, high=1.0)
    bins = zip(report.histogram.normal, report.histogram.anomalous, strict=True)
    filled = [place for place, counts in enumerate(bins) if any(counts)]
    if not filled:
        return Window(low=0.0, high=1.0)
    return Window(low=report.histogram.edges[filled[0]], high=report.histogram.edges[filled[-1] + 1])


def case_note(code: str, count: int) -> str:
    """What is odd about one prediction, with how many of its voxels where that is more than one."""
    said = notes.SENTENCES.get(code, code)
    return f"{said} ({count:,} voxels)" if count > 1 else said


def sentence(code: str, count: int) -> str:
    """A warning in words; a later worker's code that is not known here stands for itself."""
    return messages.warning(WarningCode(code), count) if code in set(WarningCode) else f"{code} × {count}"


def page(view: ReportView, *, title: str, facts: Sequence[str], log_text: str) -> str:
    """Give a page of its own that needs no other file and no network; `facts` say what was run."""
    styles = (STATIC / name for name in ("mood.css", "toy.css"))
    style = "\n".join(path.read_text(encoding="utf-8") for path in styles)
    parts = Pages("").part("toy_page.html", None, report=view, title=title, facts=facts, log=log_text, style=style)
    return str(parts)
