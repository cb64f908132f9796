"""What is in a challenge folder, to be looked at: a contact sheet for each category, and a page of them all.

`cases.csv` says what each case is. One volume is read at a time, and no more of a category than asked for.
"""

import csv
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from PIL import Image

from evaluator.dataset import TOY, Manifest
from toy_cases.anomalies import Category, Scope
from toy_cases.page import Figure, Section, page
from toy_cases.sheets import Tile, sheet, strip

CASES, PAGE = "cases.csv", "index.html"
COLUMNS = frozenset(
    {"case", "dataset", "split", "scope", "category", "subcategory", "difficulty", "size_voxels", "contrast", "source"}
)
MOST = 24  # cases of a category
NORMAL = "normal"
WARNING = "This shows labels: keep it as secret as them."
HOW = (
    "Axial, coronal and sagittal, the patient's right and the face to the left, 0 black and 1 white. An anomaly with a "
    "mask is cut where its slices have most of it, and outlined in orange; all else is cut through the middle. "
    "Difficulty is 1 (hardest to see) to 5 (plain)."
)
Row = dict[str, str]  # of cases.csv
Progress = Callable[[int, int, str], None]  # done, of, what


class ShowError(ValueError):
    """A folder that cannot be shown; the message says why and what to name instead."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What was written."""

    page: Path
    sheets: tuple[Path, ...]
    sentences: tuple[str, ...]  # how many of how many, for each


@dataclass(frozen=True, kw_only=True)
class Group:
    """The cases of a sheet."""

    dataset: str
    title: str  # toy, normal or a category
    found: int
    rows: tuple[Row, ...]  # those that are shown

    @property
    def name(self) -> str:
        """Of its file, without the suffix."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.dataset} {self.title}".lower()).strip("-")

    @property
    def heading(self) -> str:
        """Its data set and category."""
        return f"{self.dataset}: {self.title}"

    @property
    def counted(self) -> str:
        """How many of it are shown."""
        if len(self.rows) < self.found:
            over = "" if self.title in {TOY, NORMAL} else ", spread over the subcategories"
            return f"{len(self.rows)} of {self.found} cases are shown{over}; --most shows more."
        return "The only case." if self.found == 1 else f"All {self.found} cases."


def show(
    folder: Path, out: Path, *, dataset: str | None = None, most: int = MOST, progress: Progress | None = None
) -> Shown:
    """Write a PNG for each category of each data set (or of one) and `index.html` to `out`, `most` cases a category.

    Raises ShowError for a folder that no program of ours made, and DatasetError where it is incomplete.
    """
    groups = _groups(folder, _rows(folder), dataset, most)
    title, remarks = folder.absolute().name, _remarks(Manifest.read(folder))
    out.mkdir(parents=True, exist_ok=True)
    total, done = sum(len(group.rows) for group in groups), 0
    sections = []
    for group in groups:
        tiles = []
        for row in group.rows:
            tiles.append(Tile(picture=_picture(folder, row), lines=_caption(row)))
            done += 1
            if progress:
                progress(done, total, group.heading)
        said = [remark for remark in remarks if remark.startswith(f"{group.dataset}:")]
        sheet(f"{title}, {group.heading}", [group.counted, *said], tiles).save(out / f"{group.name}.png")
        sections.append(_section(group, tiles))
    written = page(f"Cases of {title}", [WARNING, *remarks, HOW], sections)
    (out / PAGE).write_text(written, encoding="utf-8")
    return Shown(
        page=out / PAGE,
        sheets=tuple(out / f"{group.name}.png" for group in groups),
        sentences=tuple(f"{group.heading}: {group.counted}" for group in groups),
    )


def chosen(rows: Sequence[Row], most: int) -> list[Row]:
    """Take as many of each subcategory as of any other where not all can be had, spread from small to large."""
    by_kind: dict[str, list[Row]] = {}
    for row in sorted(rows, key=_order):
        by_kind.setdefault(row["subcategory"], []).append(row)
    shares = Counter[str]()
    turns = (kind for turn in range(len(rows)) for kind, having in by_kind.items() if turn < len(having))
    for kind, _ in zip(turns, range(most), strict=False):
        shares[kind] += 1
    return [row for kind, having in by_kind.items() for row in _spread(having, shares[kind])]


def _spread(rows: Sequence[Row], count: int) -> list[Row]:
    """Take `count` at equal distances, the first and the last among them."""
    return [rows[int(at)] for at in np.linspace(0, len(rows) - 1, count).round()]


def _rows(folder: Path) -> list[Row]:
    """Read cases.csv."""
    path = folder / CASES
    if not path.is_file():
        inside = sorted(found.parent.name for found in folder.glob(f"*/{CASES}"))
        hint = f"; name one of its folders: {', '.join(inside)}" if inside else ", as `mood data make` writes them"
        raise ShowError(f"{folder}: is no challenge folder with a {CASES}{hint}")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, restval="")
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ShowError(f"{path}: cannot be read: {error}") from error
    missing = sorted(COLUMNS - set(reader.fieldnames or ()))
    if missing:
        raise ShowError(f"{path}: lacks {', '.join(missing)}: it is not as `mood data make` writes it")
    for number, row in enumerate(rows, start=2):
        for column in ("case", "dataset", "split"):
            if not re.fullmatch(r"\w[\w.-]*", row[column]):
                raise ShowError(f"{path}: line {number}: {column} {row[column]!r} is no name of a file or folder")
    if not rows:
        raise ShowError(f"{path}: lists no case")
    return rows


def _groups(folder: Path, rows: Sequence[Row], dataset: str | None, most: int) -> list[Group]:
    """Sort the cases onto sheets: toy cases, normal ones, categories from mild to strong."""
    datasets = list(dict.fromkeys(row["dataset"] for row in rows))
    if dataset is not None and dataset not in datasets:
        raise ShowError(f"{folder}: has no data set {dataset!r}; there are {', '.join(datasets)}")
    together: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        together.setdefault((row["dataset"], _title(row)), []).append(row)
    rank = {title: number for number, title in enumerate((TOY, NORMAL, *Category))}
    order = sorted(together, key=lambda key: (datasets.index(key[0]), rank.get(key[1], len(rank)), key[1]))
    return [
        Group(dataset=name, title=title, found=len(together[name, title]), rows=tuple(picked))
        for name, title in order
        if dataset in {None, name}
        for picked in [chosen(together[name, title], most)]
    ]


def _title(row: Row) -> str:
    if row["split"] == TOY:
        return TOY
    return NORMAL if row["scope"] == Scope.NORMAL else row["category"] or row["scope"]


def _order(row: Row) -> tuple[str, float, float, str]:
    return row["subcategory"], _number(row["size_voxels"]), _number(row["contrast"]), row["case"]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _remarks(manifest: Manifest) -> list[str]:
    """Tell what a reader must know: which scans serve more than once, what was left out."""
    said = [str(remark) for remark in manifest.made.get("remarks", ())]
    return ["Scans are used more than once.", *said] if manifest.made.get("reuse_scans") and not said else said


def _picture(folder: Path, row: Row) -> Image.Image:
    """Read a case with its mask, if it has one. Raises ShowError naming the file."""
    volume = folder / row["dataset"] / row["split"] / row["case"]
    label = folder / row["dataset"] / f"{row['split']}_label" / "pixel" / row["case"]
    try:
        return strip(_opened(volume), _opened(label) if label.is_file() else None)
    except FileNotFoundError as error:
        raise ShowError(
            f"{volume}: is listed in {CASES} but missing: make the folder again or copy it whole"
        ) from error
    except (ImageFileError, OSError, EOFError, zlib.error, ValueError) as error:
        raise ShowError(f"{volume}: cannot be shown: {error}") from error


def _opened(path: Path) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_filename(path)


def _caption(row: Row) -> tuple[str, ...]:
    """Say what a case is, how large, and where it comes from."""
    what = row["subcategory"] or NORMAL
    difficulty = f", difficulty {row['difficulty']}" if row["difficulty"] else ""
    size = f"{int(_number(row['size_voxels'])):,} voxels" if row["size_voxels"] else ""
    contrast = f"contrast {_number(row['contrast']):.3f}" if row["contrast"] else ""
    return tuple(
        filter(None, (f"{what}{difficulty}", ", ".join(filter(None, (size, contrast))), f"{row['case']}{_origin(row)}"))
    )


def _origin(row: Row) -> str:
    """Name its scan, and whether it was moved."""
    try:
        parameters = json.loads(row.get("parameters") or "{}")
    except json.JSONDecodeError:
        parameters = {}
    moved = ", moved" if isinstance(parameters, dict) and parameters.get("moved") else ""
    return (f", from {row['source']}" if row["source"] else "") + moved


def _section(group: Group, tiles: Sequence[Tile]) -> Section:
    return Section(
        anchor=group.name,
        heading=group.heading,
        said=group.counted,
        link=f"{group.name}.png",
        figures=tuple(Figure.of(tile.picture, tile.lines) for tile in tiles),
    )
