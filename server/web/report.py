"""The report of a challenge and task: the analysis document as one page that needs no other, a PDF, and files."""

import base64
import io
import platform
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version

from evaluator.analysis.tables import Table
from server import analyses, challenges, leaderboard
from server.analyses import AnalysisDocument
from server.db import Database
from server.protocol import Task
from server.storage import Store
from server.web import findings
from server.web.cells import Line, heading, lines
from server.web.charts import teams_of
from server.web.examples import Gallery, galleries
from server.web.latex import latex
from server.web.rendering import STATIC, Pages
from server.web.stripes import striped
from server.web.wide import is_printed, readable, told

Draw = Callable[[Table], str | None]  # a table's figure as SVG; None: it has none

STYLES = STATIC / "report.css"
PORTRAIT = 104  # characters beside one another that fit on an upright page; a wider table gets one on its side
NARROW = 150  # that fit on its side in the usual type
IN_TEXT = 24  # rows; a longer or wider table stands in the appendix
SOFTWARE = ("mood-challenge", "numpy", "altair", "vl-convert-python", "weasyprint")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A section: its heading, what it is about, and its tables in their order."""

    title: str
    about: str
    tables: tuple[str, ...]


PLANS = (
    Plan(
        title="Ranking",
        about="The official ranking, the scores behind it, and what other ways of ranking would have given.",
        tables=("consensus", "places", "schemes"),
    ),
    Plan(
        title="Stability of the ranking",
        about="How far the order depends on which cases happened to be in the test set, and on how they were dealt "
        "into batches.",
        tables=("rank_probabilities", "rank_agreement", "tests", "deals"),
    ),
    Plan(
        title="What is found, and what is missed",
        about="Scores by kind of anomaly, on the analysis set: the same normal cases for all kinds, so that a "
        "constant score would reach the same AP everywhere.",
        tables=("categories", "difficulty", "false_alarms"),
    ),
    Plan(
        title="Size and intensity",
        about="One anomaly at one place in one scan, varied in one property at a time.",
        tables=("sizes", "contrasts"),
    ),
    Plan(
        title="Simple test sets as a proxy",
        about="Whether a test set that is easy to make would have ranked the submissions alike.",
        tables=("proxies",),
    ),
    Plan(
        title="Other metrics and levels",
        about="The same predictions by other metrics, with a scan or an object as the unit.",
        tables=("boards", "levels", "level_histograms", "detections"),
    ),
    Plan(
        title="Run time and memory",
        about="What the submissions took on the organizer's hosts.",
        tables=("costs",),
    ),
)
FURTHER = Plan(title="Further tables", about="", tables=())


class Place(StrEnum):
    """Where a table stands."""

    TEXT = "text"
    APPENDIX = "appendix"
    FILES = "files"


@dataclass(frozen=True, kw_only=True)
class Printed:
    """A table as it is laid out for reading."""

    title: str
    caption: str
    heads: tuple[str, ...]
    is_number: tuple[bool, ...]  # of each column
    lines: tuple[Line, ...]
    place: Place
    number: str  # "3", "A1"; empty in the files
    is_wide: bool  # needs a page on its side
    is_dense: bool  # and smaller type there
    is_whole: bool  # False: the file has more numbers

    @property
    def is_short(self) -> bool:
        """Need not be broken over pages."""
        return len(self.lines) <= IN_TEXT


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One analysis: its figure and its table, or notes that say why there is neither."""

    name: str  # of the files
    title: str
    caption: str
    rows: int  # of the table in the files
    notes: tuple[str, ...]
    figure: str | None  # address of an image that carries itself
    figure_number: int | None
    table: Printed


@dataclass(frozen=True, kw_only=True)
class Section:
    """Analyses that belong together."""

    title: str
    about: str
    shown: tuple[Shown, ...]

    @property
    def anchor(self) -> str:
        """Its name in addresses."""
        return self.title.lower().replace(",", "").replace(" ", "-")


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that the templates print."""

    document: AnalysisDocument
    is_published: bool
    is_current: bool  # False: scores have come or changed since the document was made
    findings: tuple[str, ...]
    sections: tuple[Section, ...]
    appendix: tuple[Shown, ...]  # whose tables stand there, upright ones first
    software: Mapping[str, str]
    galleries: tuple[Gallery, ...]

    @property
    def figures(self) -> int:
        """How many there are before the galleries."""
        return sum(one.figure_number is not None for section in self.sections for one in section.shown)

    @property
    def tables(self) -> int:
        """How many there are before the one of the submissions, which is the last of the text."""
        return 1 + sum(one.table.place is Place.TEXT for section in self.sections for one in section.shown)


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a report is made of."""

    document: AnalysisDocument
    galleries: Callable[[], tuple[Gallery, ...]]  # reads and draws, which takes a moment; none once it is not current
    is_published: bool
    is_current: bool


def source(db: Database, store: Store, slug: str, task: Task, now: datetime) -> Source | None:
    """Read what is there. None: nothing was computed yet."""
    with db.read() as s:
        challenge = challenges.by_slug(s, slug)
        document = analyses.latest(s, challenge, task)
        is_published = leaderboard.visible(s, challenge, task, now)
        is_current = analyses.is_current(s, challenge, task)
    if document is None:
        return None
    order = teams_of(document.tables)

    def read() -> tuple[Gallery, ...]:
        # The document has teams by name alone. A pseudonym may be another team's by now: its pictures would stand
        # below this one's numbers. So names must be the document's before they are drawn, and still after it.
        if not is_still_current():
            return ()
        with db.read() as s:
            found = galleries(s, store, challenges.by_slug(s, slug), task, order)
        return found if is_still_current() else ()

    def is_still_current() -> bool:
        with db.read() as s:
            row = challenges.by_slug(s, slug)
            return analyses.made_at(s, row, task) == document.made_at and analyses.is_current(s, row, task)

    return Source(document=document, galleries=read, is_published=is_published, is_current=is_current)


def compose(made_of: Source, draw: Draw) -> Report:
    """Number figures and tables, and put them into sections."""
    document = made_of.document
    counting = Numbers()
    known = [name for plan in PLANS for name in plan.tables]
    rest = tuple(name for name in document.tables if name not in known)
    plans = (*PLANS, Plan(title=FURTHER.title, about=FURTHER.about, tables=rest))
    sections = tuple(
        Section(title=plan.title, about=plan.about, shown=shown)
        for plan in plans
        if (shown := tuple(_shown(document.tables, plan.tables, draw, counting)))
    )
    return Report(
        document=document,
        is_published=made_of.is_published,
        is_current=made_of.is_current,
        findings=findings.findings(document.tables),
        sections=sections,
        appendix=tuple(sorted(appended(sections), key=lambda shown: shown.table.is_wide)),
        software={"Python": platform.python_version()} | {name: version(name) for name in SOFTWARE},
        galleries=made_of.galleries(),
    )


def html(report: Report, pages: Pages) -> str:
    """Give one page that needs no other file and no network."""
    return str(pages.part("report.html", None, report=report, style=STYLES.read_text(encoding="utf-8")))


def files(document: AnalysisDocument, draw: Draw) -> dict[str, bytes]:
    """Give every table as .csv and .tex and every figure as SVG, by the names that the report uses."""
    found = {}
    for name, table in document.tables.items():
        found[f"tables/{name}.csv"] = table.csv().encode()
        found[f"tables/{name}.tex"] = latex(readable(table)).encode()
        drawn = draw(told(table))
        if drawn is not None:
            found[f"figures/{name}.svg"] = drawn.encode()
    return found


def archive(named: Mapping[str, bytes], folder: str) -> bytes:
    """Pack files into a zip that unpacks to one folder; the same bytes for the same files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in named.items():
            packed.writestr(zipfile.ZipInfo(f"{folder}/{name}"), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


@dataclass
class Numbers:
    """Counts figures and tables; Table 1 is the methods' own."""

    figures: int = 0
    tables: int = 1
    appendix: int = 0

    def figure(self) -> int:
        """Give the next figure's."""
        self.figures += 1
        return self.figures

    def table(self, place: Place) -> str:
        """Give the next table's there."""
        if place is Place.APPENDIX:
            self.appendix += 1
            return f"A{self.appendix}"
        self.tables += place is Place.TEXT
        return str(self.tables) if place is Place.TEXT else ""


def appended(sections: Sequence[Section]) -> list[Shown]:
    """Give what stands in the appendix."""
    return [shown for section in sections for shown in section.shown if shown.table.place is Place.APPENDIX]


def _shown(tables: Mapping[str, Table], names: Sequence[str], draw: Draw, numbers: Numbers) -> Iterator[Shown]:
    for name in names:
        table = tables.get(name)
        if table is None or not (table.rows or table.notes):
            continue
        drawn = draw(told(table))
        yield Shown(
            name=name,
            title=table.title,
            caption=table.caption,
            rows=len(table.rows),
            notes=table.notes,
            figure=image_address(drawn) if drawn is not None else None,
            figure_number=numbers.figure() if drawn is not None else None,
            table=_printed(table, numbers),
        )


def _printed(table: Table, numbers: Numbers) -> Printed:
    turned = readable(table)
    width = _characters(turned)
    short = len(turned.rows) <= IN_TEXT and width <= PORTRAIT
    place = (Place.TEXT if short else Place.APPENDIX) if is_printed(table) else Place.FILES
    return Printed(
        title=turned.title,
        caption=turned.caption,
        heads=tuple(heading(column) for column in turned.columns),
        is_number=tuple(column.kind != "text" for column in turned.columns),
        lines=tuple(lines(turned)),
        place=place,
        number=numbers.table(place),
        is_wide=width > PORTRAIT,
        is_dense=width > NARROW,
        is_whole=len(turned.rows) == len(table.rows),
    )


def image_address(svg: str) -> str:
    """Put an SVG into an address of its own: names inside it cannot meet those of another one."""
    return f"data:image/svg+xml;base64,{base64.b64encode(striped(svg).encode()).decode()}"


def _characters(table: Table) -> int:
    """Estimate how wide a table gets: headings break between words, cells do not."""
    rows = list(lines(table))
    words = (max(map(len, (*heading(column).split(), ""))) for column in table.columns)
    cells = (max((len(line.cells[place]) for line in rows), default=0) for place in range(len(table.columns)))
    gap = 2  # between columns
    return sum(max(word, cell) + gap for word, cell in zip(words, cells, strict=True))
