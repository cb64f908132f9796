import io
import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from evaluator.analysis.tables import Table
from server import analyses, leaderboard
from server.analyses import AnalysisDocument
from server.models import View
from server.protocol import Task
from server.web import report
from server.web.drawings import drawer
from server.web.rendering import Pages
from server.web.report import Place, Source
from tests.server.web.conftest import People, Play
from tests.server.web.made_up import DATASETS, TEAMS, Maker
from tests.server.world import World

HASH = "a" * 64
FEW = ("One", "Two")


def facts(teams: tuple[str, ...]) -> dict[str, Any]:
    """What server.analyses tells of a challenge."""
    datasets = [
        {
            "name": name, "title": name.capitalize(), "cases": 542, "anomalous": 268, "normal": 274, "toy": 4,
            "batches": 28, "shapes": [[256, 256, 256]], "scopes": {},
        }
        for name in DATASETS
    ]  # fmt: skip
    sets = {"manifest_sha256": HASH, "deal_sha256": HASH, "submissions": len(teams), "datasets": datasets}
    limits = {"memory_bytes": 16 * 2**30, "cpus": 4.0, "gpus": True}
    return {
        "rules": {
            "budget_s": 600.0, "final_submissions": 10, "container_user": "nobody", "limits": limits, "batch_size": 20,
            "object_min_volume_mm3": 1200.0, "opens_at": None, "closes_at": "2027-09-07T23:59:00Z",
        },
        "datasets": [{"name": name, "title": name.capitalize()} for name in DATASETS],
        "sets": [
            {"name": name, "slug": f"mood-{name}", "title": f"MOOD, {name}", **sets}
            for name in ("challenge", "analysis")
        ],
        "teams": len(teams),
        "submissions": [
            {
                "team": team, "received_at": "2027-09-06T21:04:11+00:00", "image_digest": None,
                "evaluator_version": "0.1.0",
            }
            for team in teams
        ],
    }  # fmt: skip


def document(teams: tuple[str, ...] = TEAMS, *, task: Task = Task.PIXEL, **changes: Any) -> AnalysisDocument:
    made = AnalysisDocument(
        slug="mood",
        title="MOOD 2027 <draft>",
        task=task,
        made_at=datetime(2027, 10, 8, 9, 30, tzinfo=UTC),
        evaluator_version="0.1.0",
        resamples=1000,
        seed=7,
        facts=facts(teams),
        tables=Maker(teams).tables(),
    )
    return replace(made, **changes)


def composed(made: AnalysisDocument, *, draws: bool = False) -> report.Report:
    of = Source(document=made, galleries=lambda: (), is_published=True, is_current=True)
    return report.compose(of, drawer(made.tables) if draws else lambda _table: None)


def page(made: AnalysisDocument, *, draws: bool = False) -> str:
    return report.html(composed(made, draws=draws), Pages(""))


def test_every_table_stands_in_a_section_and_numbers_go_up() -> None:
    made = composed(document(FEW), draws=True)
    shown = [one for section in made.sections for one in section.shown]
    assert {one.name for one in shown} == set(document(FEW).tables)
    assert [one.figure_number for one in shown if one.figure] == list(range(1, made.figures + 1))
    assert [one.table.number for one in shown if one.table.place is Place.TEXT] == [
        str(n) for n in range(2, made.tables + 1)
    ]
    assert {one.table.number for one in made.appendix} == {f"A{n}" for n in range(1, len(made.appendix) + 1)}


def test_page_needs_no_other_file_and_escapes_what_others_wrote() -> None:
    written = page(document(("<script>alert(1)</script>", "B & C")), draws=True)
    assert "<script" not in written
    assert "MOOD 2027 &lt;draft&gt;" in written
    assert "B &amp; C" in written
    addresses = re.findall(r'(?:src|href)="([^"]+)"', written)
    assert {address[:5] for address in addresses if not address.startswith("#")} == {"data:"}
    anchors = set(re.findall(r'id="([^"]+)"', written))
    assert {address[1:] for address in addresses if address.startswith("#")} <= anchors


def test_methods_state_the_challenges_own_rules() -> None:
    written = page(document())
    for said in ("16 GiB", "4 processors", "600 s", "1,200 mm³", "about 20 cases", "1,000 bootstrap", "seed 7", HASH):
        assert said in written
    sample = page(document(task=Task.SAMPLE))
    assert "one AP over all hidden cases" in sample
    assert "mm³" not in sample


@pytest.mark.parametrize("teams", [("Alone",), FEW])
def test_few_submissions_make_a_report_without_complaint(teams: tuple[str, ...]) -> None:
    written = page(document(teams), draws=True)
    assert f"{len(teams)} submission" in written


def test_tables_without_rows_say_why_or_are_left_out() -> None:
    tables = document(FEW).tables
    empty = {name: replace(table, rows=()) for name, table in tables.items()}
    told = {"sizes": replace(empty["sizes"], notes=("No sweep was run.",))}
    written = page(document(tables={**empty, **told}), draws=True)
    assert "No sweep was run." in written
    assert "AP against intensity" not in written


def test_undefined_numbers_are_written_as_such() -> None:
    tables = {name: blank(table) for name, table in document(FEW).tables.items()}
    written = page(document(FEW, tables=tables), draws=True)
    assert "n/a" in written
    assert "None" not in written
    assert ">nan" not in written


def blank(table: Table) -> Table:
    """The same rows, with no number that could be undefined."""
    numbers = [column.name for column in table.columns if column.kind == "number"]
    return replace(table, rows=tuple({**row, **dict.fromkeys(numbers)} for row in table.rows))


def test_document_with_an_error_is_a_report_that_says_so() -> None:
    written = page(document(tables={}, error="The analyses could not be computed."))
    assert "There are no analyses." in written
    assert "The analyses could not be computed." in written


def test_report_is_the_organizers_until_it_is_published(people: People, world: World, play: Play) -> None:
    for team in ("One", "Two"):
        play.scored(team)
    analyses.compute(world.db, world.store, "tiny", Task.SAMPLE, world.now)
    organizer, visitor = people.organizer(), people.visitor()
    assert visitor.get("/report/sample.html").status_code == 404
    assert people.browser("One").get("/report/sample.zip").status_code == 404
    draft = organizer.get("/report/sample.html")
    assert draft.status_code == 200
    assert "Not published" in draft.text
    assert "script-src" not in draft.headers["content-security-policy"]
    with world.db.write() as session:
        assert session.scalars(select(View.subject)).all() == ["unpublished report, sample task"]
        account = world.account(session, "One")
        leaderboard.publish(session, world.challenge(session), Task.SAMPLE, True, account, world.now)
    public = visitor.get("/report/sample.html")
    assert public.status_code == 200
    assert "Not published" not in public.text
    assert "One" in public.text
    assert visitor.get("/report/pixel.html").status_code == 404


def test_report_comes_as_pdf_and_as_an_archive(people: People, world: World, play: Play) -> None:
    play.scored("One", task=Task.PIXEL)
    analyses.compute(world.db, world.store, "tiny", Task.PIXEL, world.now)
    organizer = people.organizer()
    printed = organizer.get("/report/pixel.pdf")
    assert printed.content.startswith(b"%PDF-")
    packed = organizer.get("/report/pixel.zip")
    assert 'filename="tiny-pixel-report.zip"' in packed.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        names = set(archive.namelist())
        assert archive.testzip() is None
        assert archive.read("tiny-pixel-report/tiny-pixel-report.pdf") == printed.content
    assert {f"tiny-pixel-report/tables/consensus.{kind}" for kind in ("csv", "tex")} <= names
    assert "tiny-pixel-report/figures/consensus.svg" in names


def test_report_that_was_not_computed_yet_is_not_there(people: People) -> None:
    answer = people.organizer().get("/report/pixel.pdf")
    assert answer.status_code == 404
    assert "not been computed" in answer.text


def test_report_says_that_scores_have_come_since(people: People, world: World, play: Play) -> None:
    play.scored("One")
    analyses.compute(world.db, world.store, "tiny", Task.SAMPLE, world.now)
    organizer = people.organizer()
    assert "since" not in organizer.get("/report/sample.html").text
    play.scored("Two")
    assert "Scores have come or changed since" in organizer.get("/report/sample.html").text
