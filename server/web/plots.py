"""The two plots of a toy report as SVG: precision against recall, and the scores of both classes.

Drawn here, because they stand in a page that changes while it is watched; `toy.css` gives the colours, so that they
follow the page's. Coordinates are pixels of a box of 360 × 236.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 360, 236
LEFT, RIGHT, TOP, BOTTOM = 62, 18, 14, 42  # margins
MANY = 1000  # values of a class; from there on, shares on a logarithmic axis
QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
LABEL = 12  # pixels, as in toy.css
MOST_TICKS = 4


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Precision at each recall, recall rising; [0, 1] both."""

    recall: Sequence[float]
    precision: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Counts of the scores of each class, one fewer than edges."""

    edges: Sequence[float]
    normal: Sequence[int]
    anomalous: Sequence[int]

    @property
    def prevalence(self) -> float | None:
        """Share of anomalous ones: the AP of a constant. None where there is nothing."""
        total = sum(self.normal) + sum(self.anomalous)
        return sum(self.anomalous) / total if total else None


def curve_svg(curve: Curve, *, ap: float | None, chance: float | None) -> Markup:
    """Draw it with its AP, the area below it, and the precision of a constant score."""
    x, y = _across(0, 1), _up(0, 1)
    steps = "".join(f"V{y(p):.1f}H{x(r):.1f}" for r, p in zip(curve.recall, curve.precision, strict=True))
    start = f"M{x(0):.1f} {y(curve.precision[0]):.1f}" if curve.precision else ""
    parts = [_frame("Recall", "Precision")]
    parts += [_tick_x(x(at), f"{at:g}") + _tick_y(y(at), f"{at:g}") for at in QUARTERS]
    if start:
        area = f"{start}{steps}V{y(0):.1f}H{x(0):.1f}Z"
        parts += [Markup('<path class="area" d="{}"/><path class="curve" d="{}"/>').format(area, start + steps)]
    if chance is not None:
        below = y(chance) + LABEL + 4 if chance > 1 - 2 * LABEL / (HEIGHT - TOP - BOTTOM) else y(chance) - 5
        parts.append(
            Markup('<path class="chance" d="M{} {:.1f}H{}"/><text class="label" x="{}" y="{:.1f}">{}</text>').format(
                LEFT, y(chance), WIDTH - RIGHT, LEFT + 6, below, f"constant score {chance:.2g}"
            )
        )
    said = "n/a" if ap is None else f"{ap:.3f}"
    return _svg(f"Precision against recall on the toy cases; average precision {said}", parts)


def histogram_svg(histogram: Histogram, *, of: str) -> Markup:
    """Draw both classes; `of` says what is counted (voxels, cases)."""
    low, high = histogram.edges[0], histogram.edges[-1]
    x = _across(low, high if high > low else low + 1)
    most = max((sum(histogram.normal), sum(histogram.anomalous)))
    upward = _shares(histogram, of) if most > MANY else _counts(histogram, of)
    parts = [_frame("Score", upward.title)]
    parts += [_tick_y(upward.y(at), text) for at, text in upward.ticks]
    parts += [_tick_x(x(at), f"{at:.3g}") for at in (low, (low + high) / 2, high)]
    parts += [_bars(histogram.edges, upward, values, kind, x) for kind, values in upward.values.items()]
    return _svg(f"Scores of normal and of anomalous {of} on the toy cases", [*parts, _legend()])


@dataclass(frozen=True, kw_only=True)
class _Upward:
    """How high bars are: None where a bin is empty."""

    title: str
    values: Mapping[str, Sequence[float | None]]  # by class
    floor: float
    ticks: Sequence[tuple[float, str]]
    y: "_Scale"


def _counts(histogram: Histogram, of: str) -> _Upward:
    """Few: one step a case."""
    most = max((*histogram.normal, *histogram.anomalous, 1))
    values = {kind: [float(count) if count else None for count in counts] for kind, counts in _classes(histogram)}
    ticks = [(float(at), str(at)) for at in sorted({0, most // 2, most})]
    return _Upward(title=f"Toy {of}", values=values, floor=0.0, ticks=ticks, y=_up(0, most))


def _shares(histogram: Histogram, of: str) -> _Upward:
    """Many, and far more normal ones: shares of each class, on a logarithmic axis down to a single voxel."""
    totals = {kind: sum(counts) for kind, counts in _classes(histogram)}
    decades = max(1, math.ceil(math.log10(max(totals.values()))))
    values = {
        kind: [math.log10(count / totals[kind]) if count else None for count in counts]
        for kind, counts in _classes(histogram)
    }
    every = -(-decades // MOST_TICKS)
    ticks = [(float(-at), f"{100 * 10.0**-at:.12g} %") for at in range(0, decades + 1, every)]
    return _Upward(
        title=f"Share of each class's {of}", values=values, floor=float(-decades), ticks=ticks, y=_up(-decades, 0)
    )


def _bars(edges: Sequence[float], upward: _Upward, values: Sequence[float | None], kind: str, x: "_Scale") -> Markup:
    """Draw one outline round each run of bins that hold something."""
    base = upward.y(upward.floor)
    path, was_empty = "", True
    for value, left, right in zip(values, edges, edges[1:], strict=False):
        if value is None:
            path += "" if was_empty else f"V{base:.1f}Z"
        else:
            begun = f"M{x(left):.1f} {base:.1f}" if was_empty else ""
            path += f"{begun}V{upward.y(value):.1f}H{x(right):.1f}"
        was_empty = value is None
    path += "" if was_empty else f"V{base:.1f}Z"
    return Markup('<path class="{}" d="{}"/>').format(kind, path)


def _classes(histogram: Histogram) -> list[tuple[str, Sequence[int]]]:
    return [("normal", histogram.normal), ("anomalous", histogram.anomalous)]


class _Scale:
    """From values to pixels, linear."""

    def __init__(self, values: tuple[float, float], pixels: tuple[float, float]) -> None:
        self.low, self.span = values[0], values[1] - values[0]
        self.start, self.length = pixels[0], pixels[1] - pixels[0]

    def __call__(self, value: float) -> float:
        return self.start + self.length * (value - self.low) / self.span


def _across(low: float, high: float) -> _Scale:
    return _Scale((low, high), (LEFT, WIDTH - RIGHT))


def _up(low: float, high: float) -> _Scale:
    return _Scale((low, high), (HEIGHT - BOTTOM, TOP))


def _svg(said: str, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, said, Markup("").join(parts)
    )


def _frame(across: str, up: str) -> Markup:
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    return Markup(
        '<path class="axis" d="M{0} {1}V{2}H{3}"/><text class="title" x="{4}" y="{5}">{6}</text>'
        '<text class="title" transform="translate(11 {7}) rotate(-90)">{8}</text>'
    ).format(LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT, middle_x, HEIGHT - 6, across, middle_y, up)


def _tick_x(x: float, text: str) -> Markup:
    return Markup('<text class="tick" x="{:.1f}" y="{}">{}</text>').format(x, HEIGHT - BOTTOM + LABEL + 4, text)


def _tick_y(y: float, text: str) -> Markup:
    return Markup('<path class="grid" d="M{} {:.1f}H{}"/><text class="tick up" x="{}" y="{:.1f}">{}</text>').format(
        LEFT, y, WIDTH - RIGHT, LEFT - 6, y + LABEL / 3, text
    )


def _legend() -> Markup:
    x, y = WIDTH - RIGHT - 96, TOP + 4
    return Markup(
        '<rect class="key" x="{0}" y="{1}" width="96" height="34"/>'
        '<path class="normal" d="M{2} {3}h16v9h-16Z"/><text class="label" x="{4}" y="{5}">normal</text>'
        '<path class="anomalous" d="M{2} {6}h16v9h-16Z"/><text class="label" x="{4}" y="{7}">anomalous</text>'
    ).format(x, y - 2, x + 6, y + 2, x + 28, y + 10, y + 17, y + 25)
