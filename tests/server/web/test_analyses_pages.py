import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from evaluator.analysis.tables import Table, table
from server import analyses, leaderboard
from server.analyses import AnalysisDocument
from server.models import Account, View
from server.protocol import Task
from tests.server.companion_maker import load_companion
from tests.server.web.conftest import Browser, People, Play
from tests.server.web.made_up import TEAMS, Maker
from tests.server.web.test_html import Reader, check
from tests.server.world import NOW, World

FEW = Maker(teams=TEAMS[:3]).tables()
API = "/api/v1/analyses/pixel"


def keep(world: World, tables: Mapping[str, Table] = FEW, *, error: str | None = None) -> None:
    """As if the sweeper had computed these."""
    document = AnalysisDocument(
        slug="tiny",
        title="Tiny",
        task=Task.PIXEL,
        made_at=NOW,
        evaluator_version="0.1.0",
        resamples=1000,
        seed=1,
        facts={},
        tables=tables,
        error=error,
    )
    with world.db.write() as s:
        challenge = world.challenge(s)
        analyses.keep(s, challenge.id, document, analyses.fingerprint(s, challenge, Task.PIXEL))


def publish(world: World, organizer: str, *, sealed_until: datetime | None = None) -> None:
    with world.db.write() as s:
        account = s.get_one(Account, organizer)
        leaderboard.publish(s, world.challenge(s), Task.PIXEL, True, account, world.now, sealed_until=sealed_until)


def test_analyses_follow_the_leaderboard(people: People, world: World) -> None:
    keep(world)
    visitor, organizer = people.visitor(), people.organizer()
    assert "are not published yet" in visitor.get("/analyses/pixel").text
    assert visitor.get(API).json()["code"] == "E-NOT-PUBLISHED"
    assert visitor.get(f"{API}/consensus.csv").status_code == 404
    page = organizer.get("/analyses/pixel").text
    assert "Consensus ranking" in page
    assert "only organizers see them" in page
    organizer.fill("/leaderboard/pixel/publish", published="true")
    page = visitor.get("/analyses/pixel").text
    assert "Consensus ranking" in page
    assert "only organizers" not in page
    assert visitor.get(f"{API}/consensus.csv").status_code == 200


def test_sealed_analyses_open_at_their_date(people: People, world: World) -> None:
    keep(world)
    publish(world, world.organizer(), sealed_until=world.now + timedelta(hours=1))
    visitor = people.visitor()
    assert "are not published yet" in visitor.get("/analyses/pixel").text
    assert visitor.get(f"{API}/places.svg").status_code == 404
    world.later(hours=2)
    assert "Consensus ranking" in visitor.get("/analyses/pixel").text
    assert visitor.get(API).status_code == 200


def test_page_has_every_table_with_its_chart_caption_and_files(people: People, world: World) -> None:
    keep(world)
    page = people.organizer().get("/analyses/pixel").text
    check(page, "/analyses/pixel")
    found = Reader(page)
    charts = {place["data-chart"] for place in found.all("div") if "data-chart" in place}
    assert charts == {f"{API}/{name}.vl" for name in FEW}
    links = {link["href"] for link in found.all("a")}
    assert {f"{API}/{name}.{end}" for name in FEW for end in ("csv", "json", "tex", "svg", "png")} <= links
    assert all(one.caption in page for one in FEW.values() if "'" not in one.caption)
    assert "Half scan: 3 cases, too few to say much." in page


def test_page_without_documents_with_an_error_and_with_an_old_one(people: People, world: World, play: Play) -> None:
    organizer = people.organizer()
    assert "have not been computed yet" in organizer.get("/analyses/pixel").text
    assert organizer.get(API).json()["code"] == "E-NOT-COMPUTED"
    keep(world, {}, error="The analyses could not be computed: KeyError: 'x'")
    assert "There are no analyses." in organizer.get("/analyses/pixel").text
    keep(world)
    assert "Scores have changed since" not in organizer.get("/analyses/pixel").text
    play.scored("Team", task=Task.PIXEL)
    world.later(minutes=1)  # the answer is kept for some seconds
    assert "Scores have changed since" in organizer.get("/analyses/pixel").text


@pytest.mark.parametrize("path", ["/analyses/pixel", f"{API}/consensus.csv", "/report/pixel.html"])
def test_who_may_not_see_analyses_makes_nobody_read_them(
    people: People, world: World, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    keep(world)
    visitor, participant = people.visitor(), people.browser("Team")

    def unread(*_: object) -> None:
        raise AssertionError("read")

    monkeypatch.setattr(analyses, "latest", unread)
    monkeypatch.setattr(analyses, "is_current", unread)
    for reader in (visitor, participant):
        assert "not published yet" in reader.get(path).text
    assert people.organizer().get(path).status_code == 500


def test_whether_scores_have_changed_is_asked_once_in_a_while(
    people: People, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(world)
    publish(world, world.organizer())
    asked: list[datetime] = []

    def ask(*_: object) -> bool:
        asked.append(world.now)
        return True

    monkeypatch.setattr(analyses, "is_current", ask)
    for _ in range(3):
        people.visitor().get("/analyses/pixel")
    world.later(seconds=10)
    people.visitor().get("/analyses/pixel")
    assert asked == [world.now - timedelta(seconds=10), world.now]


def test_table_without_rows_tells_its_notes_and_has_no_chart(people: People, world: World) -> None:
    empty = table("deals", "The two deals", "Caption.", FEW["deals"].columns, (), "there is no deal in this task")
    keep(world, {"deals": empty})
    organizer = people.organizer()
    page = organizer.get("/analyses/pixel").text
    assert "There is no deal in this task." in page
    assert "data-chart" not in page
    assert organizer.get(f"{API}/deals.svg").status_code == 404
    assert organizer.get(f"{API}/deals.csv").text.startswith("dataset,team")


@pytest.mark.parametrize(
    ("end", "kind", "start"),
    [
        ("csv", "text/csv", "dataset,tau_b"), ("json", "application/json", '{"name": "rank_agreement"'),
        ("tex", "application/x-tex", "%"), ("svg", "image/svg+xml", "<svg"), ("vl", "application/json", '{"$schema"'),
    ],
)  # fmt: skip
def test_tables_can_be_had_as_files(people: People, world: World, end: str, kind: str, start: str) -> None:
    keep(world)
    answer = people.organizer().get(f"{API}/rank_agreement.{end}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
    assert "pixel-rank_agreement." in answer.headers["content-disposition"]
    assert answer.text.startswith(start) or "$schema" in answer.text


def test_pictures_can_be_had(people: People, world: World) -> None:
    keep(world)
    assert people.organizer().get(f"{API}/rank_agreement.png").content.startswith(b"\x89PNG")


def test_charts_follow_the_width_that_is_asked_for(people: People, world: World) -> None:
    keep(world)
    organizer = people.organizer()
    wide, narrow = (organizer.get(f"{API}/places.vl?width={width}").json() for width in (1000, 340))
    assert wide["columns"] == 2
    assert narrow["columns"] == 1
    assert organizer.get(f"{API}/places.vl?width=1").status_code == 422


def test_whole_document_is_json(people: People, world: World) -> None:
    keep(world)
    document = people.organizer().get(API).json()
    assert [one["name"] for one in document["tables"]] == list(FEW)
    assert AnalysisDocument.from_dict(document).tables == {
        name: Table.from_dict(json.loads(json.dumps(one.as_dict()))) for name, one in FEW.items()
    }


def test_unknown_tables_and_kinds_are_answered(people: People, world: World) -> None:
    keep(world)
    organizer = people.organizer()
    assert "there are consensus, places" in organizer.get(f"{API}/news.csv").json()["message"]
    for path in (f"{API}/consensus.exe", f"{API}/Consensus.csv", "/api/v1/analyses/voxel"):
        assert organizer.get(path).status_code == 404, path
    assert organizer.get("/analyses/voxel").status_code == 404
    assert organizer.get("/analyses").headers["location"] == "/analyses/sample"


def test_an_organizers_look_is_recorded_once_with_the_charts_of_the_page(people: People, world: World) -> None:
    keep(world)
    organizer = people.organizer()
    for path in ("/analyses/pixel", f"{API}/consensus.csv", f"{API}/consensus.vl"):
        organizer.get(path)
    with world.db.read() as session:
        assert session.scalars(select(View.subject)).all() == ["unpublished analyses, pixel task"]
    organizer.fill("/leaderboard/pixel/publish", published="true")
    world.later(hours=1)
    organizer.get("/analyses/pixel")
    with world.db.read() as session:
        assert len(session.scalars(select(View.subject)).all()) == 1


def test_running_companion_sets_is_for_organizers_and_needs_one(people: People) -> None:
    assert people.browser("Team").fill("/analyses/pixel/run").status_code == 403
    answer = people.organizer().fill("/analyses/pixel/run")
    assert answer.status_code == 404
    assert "companion set" in answer.text


def test_organizers_run_counting_submissions_on_companions_and_see_how_far_they_are(
    people: People, world: World, play: Play, tmp_path: Path
) -> None:
    play.scored("A", task=Task.PIXEL)
    load_companion(world, tmp_path / "analysis")
    keep(world)
    organizer = people.organizer()
    rows = [cells.split() for cells in companion_rows(organizer)]
    assert rows == [["analysis", "tiny-analysis", "1", "0", "0", "0", "1"]]
    assert organizer.fill("/analyses/pixel/run").headers["location"] == "/analyses/pixel"
    rows = [cells.split() for cells in companion_rows(organizer)]
    assert rows == [["analysis", "tiny-analysis", "1", "0", "1", "0", "0"]]
    check(organizer.get("/analyses/pixel").text, "/analyses/pixel")
    organizer.fill("/leaderboard/pixel/publish", published="true")
    assert "Companion sets" not in people.browser("A").get("/analyses/pixel").text


def companion_rows(organizer: Browser) -> list[str]:
    """What the table of companion sets says."""
    table_html = organizer.get("/analyses/pixel").text.split('id="companions"')[1].split("</table>")[0]
    return [re.sub(r"<[^>]+>", " ", row) for row in re.findall(r"<tr>(<th scope=\"row\".*?)</tr>", table_html)]
