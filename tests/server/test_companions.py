"""Companion sets: loading them, running what counts on them, and that no team sees any of it."""

import threading
from pathlib import Path
from typing import Any

import pytest

from server import challenges, companions, leaderboard, submissions, views
from server.errors import Conflict, Invalid, NotFound
from server.models import Account, Image
from server.protocol import Queue, SubmissionStatus, Task
from tests.server.companion_maker import (
    analyse,
    claim_on,
    companion_submissions,
    finish_on,
    load_companion,
    make_companion,
    write_cases_csv,
)
from tests.server.test_leaderboard import score
from tests.server.test_lifecycle import fail
from tests.server.world import NOW, World, make_challenge


def test_a_companion_is_no_challenge_that_anybody_sees(world: World, tmp_path: Path) -> None:
    world.later(hours=1)
    load_companion(world, tmp_path / "a")
    with world.db.read() as s:
        assert challenges.current(s).slug == "tiny"
        assert {name: one.slug for name, one in companions.of(s, challenges.current(s)).items()} == {
            "analysis": "tiny-analysis"
        }
        with pytest.raises(NotFound, match=r"there are tiny$"):
            challenges.by_slug(s, "tiny-analysis")


def test_of_two_companions_of_a_set_the_one_loaded_last_counts(embedded_world: World, tmp_path: Path) -> None:
    world = embedded_world
    load_companion(world, tmp_path / "a")
    load_companion(world, tmp_path / "t", "toyish")
    world.later(hours=1)
    challenges.load(world.db, world.store, make_companion(tmp_path / "b", slug="newer"), world.now)
    with world.db.read() as s:
        found = companions.of(s, world.challenge(s))
        assert {name: one.slug for name, one in found.items()} == {"analysis": "newer", "toyish": "tiny-toyish"}


def test_a_companion_comes_after_its_challenge(embedded_world: World, tmp_path: Path) -> None:
    folder = make_companion(tmp_path / "a", part_of="other")
    with pytest.raises(NotFound, match="there is no challenge other: there are tiny"):
        challenges.load(embedded_world.db, embedded_world.store, folder, NOW)


def test_a_companion_has_its_challenges_data_sets(embedded_world: World, tmp_path: Path) -> None:
    world = embedded_world
    brain = [{"name": "brain", "title": "Brain"}]
    challenges.load(world.db, world.store, make_challenge(tmp_path / "m", slug="small", datasets=brain), NOW)
    with pytest.raises(Invalid, match="small has no data set abdom"):
        challenges.load(world.db, world.store, make_companion(tmp_path / "a", part_of="small"), NOW)
    part = make_companion(tmp_path / "b", datasets=brain)
    assert challenges.load(world.db, world.store, part, NOW) == "tiny-analysis"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"set": "challenge"}, "belong together"),
        ({"set": "sweep"}, "set: Input should be"),
        ({"budget_s": 3}, "runs by its challenge's rules: take out budget_s"),
    ],
)
def test_a_companions_file_is_checked(tmp_path: Path, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        challenges.read_folder(make_companion(tmp_path / "a", **options))


def test_a_slug_stays_what_it_is(embedded_world: World, tmp_path: Path) -> None:
    world = embedded_world
    load_companion(world, tmp_path / "a")
    for folder, was in (
        (make_companion(tmp_path / "b", "toyish", slug="tiny-analysis"), "the analysis set of tiny"),
        (make_challenge(tmp_path / "c", slug="tiny-analysis"), "the analysis set of tiny"),
    ):
        with pytest.raises(Conflict, match=f"is loaded as {was}"):
            challenges.load(world.db, world.store, folder, NOW)
    with pytest.raises(NotFound):
        challenges.load(world.db, world.store, make_companion(tmp_path / "d", slug="e", part_of="tiny-analysis"), NOW)


def test_companions_run_by_their_challenges_rules(embedded_world: World, tmp_path: Path) -> None:
    world = embedded_world
    score(world, "A")
    load_companion(world, tmp_path / "a")
    for budget_s in (30.0, 40.0):  # loaded anew, it tells its companions
        folder = make_challenge(tmp_path / f"main {budget_s}", budget_s=budget_s, container_user="root")
        challenges.load(world.db, world.store, folder, world.later(minutes=1))
    load_companion(world, tmp_path / "a")
    analyse(world)
    spec = claim_on(world, "tiny-analysis")
    assert spec is not None
    assert (spec.challenge, spec.budget_s, str(spec.user)) == ("tiny-analysis", 40.0, "root")


def test_each_submission_that_counts_runs_once_on_each_companion(world: World, tmp_path: Path) -> None:
    score(world, "A")
    last = score(world, "A")
    pixel = score(world, "A", task=Task.PIXEL)
    world.submit("B", queue=Queue.TOY)
    world.submit("C")
    for set_name in ("analysis", "sweeps"):
        load_companion(world, tmp_path / set_name, set_name)
    assert analyse(world) == 4
    found = companion_submissions(world)
    assert sorted(one.analyses_id or "" for one in found) == sorted([last, last, pixel, pixel])
    assert {(one.status, one.queue, one.charged) for one in found} == {(SubmissionStatus.QUEUED, Queue.FINAL, False)}
    assert analyse(world) == 0
    assert finish_on(world, "tiny-analysis") == 4
    assert analyse(world) == 0
    with world.db.read() as s:
        progress = {(one.set_name, one.task): one for one in companions.progress(s, world.challenge(s))}
    assert len(progress) == 4
    done, waits = progress["analysis", Task.SAMPLE], progress["sweeps", Task.SAMPLE]
    assert (done.counting, done.scored, done.on_their_way, done.failed, done.missing) == (1, 1, 0, 0, 0)
    assert (waits.counting, waits.scored, waits.on_their_way) == (1, 0, 1)


def test_a_newer_submission_is_analysed_too(embedded_world: World, tmp_path: Path) -> None:
    world = embedded_world
    score(world, "A")
    load_companion(world, tmp_path / "a")
    assert analyse(world) == 1
    finish_on(world, "tiny-analysis")
    score(world, "A")
    assert analyse(world) == 1


def test_one_that_failed_is_tried_again_when_asked(world: World, tmp_path: Path) -> None:
    score(world, "A")
    load_companion(world, tmp_path / "a")
    analyse(world)
    while (spec := claim_on(world, "tiny-analysis")) is not None:
        fail(world, spec)
    with world.db.read() as s:
        (sample, _) = companions.progress(s, world.challenge(s))
    assert (sample.failed, sample.missing) == (1, 0)
    world.later(minutes=1)
    assert analyse(world) == 1
    assert [one.status for one in companion_submissions(world)] == [SubmissionStatus.FAILED, SubmissionStatus.QUEUED]
    with world.db.read() as s:
        (sample, _) = companions.progress(s, world.challenge(s))
    assert (sample.failed, sample.on_their_way) == (0, 1)


def test_without_a_companion_there_is_nothing_to_run_on(embedded_world: World) -> None:
    with pytest.raises(NotFound, match="tiny has no companion set"):
        analyse(embedded_world)


def test_an_image_that_is_gone_is_passed_over(embedded_world: World, tmp_path: Path) -> None:
    world = embedded_world
    score(world, "A")
    load_companion(world, tmp_path / "a")
    with world.db.write() as s:
        s.query(Image).one().deleted_at = NOW
    assert analyse(world) == 0


def test_two_organizers_at_once_start_it_once(world: World, tmp_path: Path) -> None:
    for team in ("A", "B"):
        score(world, team)
    load_companion(world, tmp_path / "a")
    both = threading.Barrier(2)
    added: list[int] = []

    def press() -> None:
        both.wait()
        added.append(analyse(world))

    threads = [threading.Thread(target=press) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(added) == [0, 2]
    assert len(companion_submissions(world)) == 2


def test_no_team_sees_any_of_it(world: World, tmp_path: Path) -> None:
    own = score(world, "A")
    load_companion(world, tmp_path / "a")
    organizer = world.organizer()

    def seen() -> tuple[object, ...]:
        with world.db.read() as s:
            account = world.account(s, "A")
            assert account.team is not None
            challenge = world.challenge(s)
            listed = [one.id for one in submissions.for_team(s, account.team, 10, 0)]
            everybody = [one.id for one in submissions.all_submissions(s, challenge, 10, 0)]
            tries = submissions.tries(s, account.team, challenge, Task.SAMPLE)
            rows = leaderboard.board(s, challenge, Task.SAMPLE).rows
            return listed, everybody, tries, rows, views.marks(s)[account.team.id]

    before = seen()
    assert before[0] == [own]
    with world.db.read() as s:
        everybody = views.marks(s).get("")
    world.later(minutes=1)
    analyse(world)
    (hidden,) = companion_submissions(world)
    assert seen() == before
    with world.db.read() as s:
        assert views.marks(s)[""] != everybody  # an organizer's page is told
        with pytest.raises(NotFound):
            submissions.get_for(s, world.account(s, "A"), hidden.id)
        assert submissions.get_for(s, s.get_one(Account, organizer), hidden.id).analyses_id == own
    with pytest.raises(NotFound), world.db.write() as s:
        submissions.cancel(s, account=world.account(s, "A"), submission_id=hidden.id, now=world.now)
    finish_on(world, "tiny-analysis", constant=True)
    assert seen() == before


def test_teams_do_not_wait_for_analyses(world: World, tmp_path: Path) -> None:
    score(world, "A")
    load_companion(world, tmp_path / "a")
    analyse(world)
    world.later(minutes=1)
    later = world.submit("B")
    claimed = [claim_on(world, "tiny", "tiny-analysis") for _ in range(4)]
    assert [spec.challenge for spec in claimed if spec] == ["tiny", "tiny", "tiny-analysis", "tiny-analysis"]
    assert world.submission(later).status is SubmissionStatus.RUNNING


def test_the_queue_counts_them_apart(world: World, tmp_path: Path) -> None:
    score(world, "A")
    load_companion(world, tmp_path / "a")
    analyse(world)
    world.submit("B")
    with world.db.read() as s:
        queue = views.queue_view(s)
    assert (queue.final_queued, queue.companion_queued, queue.running) == (2, 2, 0)


def test_analyses_do_not_cost_a_team_its_turn_at_the_archive_check(embedded_world: World, tmp_path: Path) -> None:
    world = embedded_world
    score(world, "A")
    load_companion(world, tmp_path / "a")
    world.later(hours=3)
    analyse(world)
    first = world.upload("A")
    world.later(seconds=1)
    world.upload("A")
    world.later(seconds=1)
    other = world.upload("B")
    with world.db.read() as s:
        assert submissions.waiting_checks(s, world.now)[:2] == [first, other]


def test_cases_csv_is_kept_of_hidden_cases_without_their_base_scans(world: World, tmp_path: Path) -> None:
    load_companion(world, tmp_path / "a")
    with world.db.read() as s:
        companion = companions.of(s, world.challenge(s))["analysis"]
        facts = {row.name: row.facts for row in companion.datasets}
        assert world.challenge(s).datasets[0].facts == {}
    assert facts["brain"].keys() == {f"test{number}.nii.gz" for number in range(4)}
    assert facts["abdom"]["test2.nii.gz"] == {
        "case": "test2.nii.gz",
        "dataset": "abdom",
        "split": "test",
        "scope": "local",
        "category": "pathologies",
        "subcategory": "lesion",
        "origin": "natural",
        "difficulty": "2",
    }


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("test1.nii.gz,brain", "test9.nii.gz,brain", "brain has no test case test9.nii.gz"),
        ("test1.nii.gz,brain", "test1.nii.gz,colon", "colon has no test case test1.nii.gz"),
        ("test0.nii.gz,brain,test,normal,,,,,", "test0.nii.gz,brain,test,global,a,b,,,", "is global, its label says"),
        ("artificial,3", "artificial,9", "line 3, column difficulty: '9'"),
        ("scope", "kind", "scope missing"),
    ],
)
def test_a_cases_csv_that_does_not_fit_is_refused(
    embedded_world: World, tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    world = embedded_world
    folder = make_companion(tmp_path / "a")
    path = write_cases_csv(folder)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(Invalid, match=complaint):
        challenges.load(world.db, world.store, folder, NOW)
