"""Quota, deadline, the archive check's consequences, and who sees what."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from server import archives, challenges, submissions
from server.errors import Closed, NotAllowed, NotFound, OverQuota, TooLarge
from server.models import Account
from server.protocol import FailureCode, Queue, SubmissionStatus, Task
from tests.server.archive_maker import SCRIPTS, Image, files, sha256, tar
from tests.server.world import NOW, World


def reload(world: World, folder: Path, **options: Any) -> None:
    """The same challenge with other settings."""
    lines = (folder / "challenge.yaml").read_text()
    more = "".join(f"{key}: {value}\n" for key, value in options.items())
    (folder / "challenge.yaml").write_text(lines + more)
    challenges.load(world.db, world.store, folder, world.now)


def may(world: World, *, queue: Queue = Queue.FINAL, length: int | None = 1000) -> None:
    with world.db.read() as s:
        team = world.account(s).team
        assert team is not None
        submissions.may_submit(
            s,
            team=team,
            challenge=world.challenge(s),
            task=Task.SAMPLE,
            queue=queue,
            now=world.now,
            content_length=length,
        )


def check(world: World, submission: str) -> SubmissionStatus:
    submissions.check(world.db, world.store, submission, world.now)
    return world.submission(submission).status


# --- quota ----------------------------------------------------------------------------------------------


def test_a_final_submission_uses_a_try_at_once(world: World) -> None:
    world.upload()
    assert world.tries() == 1
    assert world.tries(task=Task.PIXEL) == 0


def test_there_are_as_many_tries_as_the_challenge_says(world: World, own_challenge_folder: Path) -> None:
    reload(world, own_challenge_folder, final_submissions=2)
    world.submit()
    world.again()
    world.team()
    with pytest.raises(OverQuota, match="all 2 final"):
        may(world)
    with pytest.raises(OverQuota):
        world.upload()
    world.submit(task=Task.PIXEL)
    world.submit("Other")


def test_uploads_that_end_at_once_do_not_pass_the_quota(world: World, own_challenge_folder: Path) -> None:
    reload(world, own_challenge_folder, final_submissions=3)
    assert at_once(world, world.upload).count(None) == 5
    assert world.tries() == 3


def test_one_toy_submission_at_a_time_for_a_team_and_task(world: World) -> None:
    first = world.upload(queue=Queue.TOY)
    with pytest.raises(OverQuota, match="on its way"):
        may(world, queue=Queue.TOY)
    with pytest.raises(OverQuota, match="on its way"):
        world.upload(queue=Queue.TOY)
    world.upload(queue=Queue.TOY, task=Task.PIXEL)
    world.upload("Other", queue=Queue.TOY)
    with world.db.write() as s:
        submissions.cancel(s, account=world.account(s), submission_id=first, now=world.now)
    world.upload(queue=Queue.TOY)
    assert world.tries() == 0


def test_of_toy_uploads_that_end_at_once_one_is_taken(world: World) -> None:
    assert at_once(world, lambda: world.upload(queue=Queue.TOY)).count(None) == 7


def test_the_database_itself_refuses_the_second_toy_submission(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.upload(queue=Queue.TOY)
    monkeypatch.setattr(submissions, "toy_on_its_way", lambda *_: False)
    with pytest.raises(OverQuota, match="on its way"):
        world.upload(queue=Queue.TOY)


def at_once(world: World, upload: Callable[[], str]) -> list[str | None]:
    """Eight at the same time; None for each that was refused."""
    together = threading.Barrier(8)
    world.team()

    def one(_: int) -> str | None:
        together.wait(20)
        try:
            return upload()
        except OverQuota:
            return None

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(8)))


# --- deadline and size ----------------------------------------------------------------------------------


def test_the_deadline_looks_at_the_instant_the_upload_is_complete(world: World, own_challenge_folder: Path) -> None:
    reload(world, own_challenge_folder, closes_at=(NOW + timedelta(hours=1)).isoformat())
    world.team()
    world.later(minutes=59)
    may(world)
    world.upload()
    world.later(minutes=1)
    with pytest.raises(Closed, match="closed at 2026-03-01 13:00 UTC"):
        may(world)
    with pytest.raises(Closed):
        world.upload()


def test_nothing_is_taken_before_the_opening(world: World, own_challenge_folder: Path) -> None:
    reload(world, own_challenge_folder, opens_at=(NOW + timedelta(hours=1)).isoformat())
    world.team()
    with pytest.raises(Closed, match="opens at 2026-03-01 13:00 UTC"):
        may(world)


def test_what_was_handed_in_before_the_deadline_runs_after_it(world: World, own_challenge_folder: Path) -> None:
    reload(world, own_challenge_folder, closes_at=(NOW + timedelta(hours=1)).isoformat())
    submission = world.upload()
    world.later(hours=2)
    assert check(world, submission) is SubmissionStatus.QUEUED
    assert world.try_claim() is not None


def test_an_archive_that_says_it_is_too_large_is_refused_unread(world: World, own_challenge_folder: Path) -> None:
    reload(world, own_challenge_folder, max_archive_bytes=1000)
    world.team()
    may(world, length=1000)
    with pytest.raises(TooLarge, match="1001 bytes, the challenge allows 1000"):
        may(world, length=1001)
    with pytest.raises(TooLarge):
        world.upload()


def test_an_organizer_without_a_team_does_not_submit(world: World) -> None:
    organizer = world.organizer()
    with pytest.raises(NotAllowed), world.db.write() as s:
        submissions.receive(
            s,
            account=s.get_one(Account, organizer),
            challenge=world.challenge(s),
            task=Task.SAMPLE,
            queue=Queue.FINAL,
            archive_sha256="0" * 64,
            archive_bytes=1,
            now=world.now,
        )


# --- the check and what it leaves in the store ----------------------------------------------------------


def test_an_accepted_image_waits_with_one_job_a_data_set(world: World) -> None:
    submission = world.upload()
    assert check(world, submission) is SubmissionStatus.QUEUED
    found = world.submission(submission)
    assert found.image is not None
    assert found.image.digest == Image().digest
    assert found.image.archive_sha256 == sha256(Image().save())
    with world.db.read() as s:
        assert [view.dataset.name for view in submissions.get_for(s, world.account(s), submission).jobs] == [
            "brain",
            "abdom",
        ]


def test_a_refused_archive_gives_the_try_back_and_is_deleted(world: World) -> None:
    submission = world.upload(archive=b"not an archive")
    assert check(world, submission) is SubmissionStatus.REFUSED
    found = world.submission(submission)
    assert found.failure_code is FailureCode.ARCHIVE_FORMAT
    assert world.tries() == 0
    assert not world.store.exists(found.archive_sha256)


def test_an_image_is_stored_once_under_its_digest(world: World) -> None:
    plain, oci = Image().save(), Image().save_oci(compressed=True)
    first = world.submit("A", archive=plain)
    second = world.submit("B", archive=oci)
    assert world.submission(first).image_id == world.submission(second).image_id
    assert world.store.exists(sha256(plain))
    assert not world.store.exists(sha256(oci))
    assert world.claim().archive_sha256 == sha256(plain)


def test_the_same_archive_twice_stays(world: World) -> None:
    world.submit("A")
    world.submit("B")
    assert world.store.exists(sha256(Image().save()))


def test_an_archive_that_somebody_uploads_again_is_not_deleted(world: World) -> None:
    bad = b"not an archive"
    first, second = world.upload("A", archive=bad), world.upload("B", archive=bad)
    check(world, first)
    assert world.store.exists(sha256(bad))
    check(world, second)
    assert not world.store.exists(sha256(bad))


def test_a_check_is_done_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    submission = world.upload()
    checked = []
    real = archives.check_in_child

    def count(*given: Any, **options: Any) -> Any:
        checked.append(given)
        return real(*given, **options)

    monkeypatch.setattr(archives, "check_in_child", count)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: check(world, submission), range(4)))
    assert len(checked) == 1
    assert world.history("submission", submission) == ["checking", "queued"]


def test_a_check_that_stopped_half_way_is_done_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    submission = world.upload()

    def break_down(*_: Any, **__: Any) -> Any:
        raise OSError("the disk is away")

    with monkeypatch.context() as broken:
        broken.setattr(archives, "check_in_child", break_down)
        with pytest.raises(OSError, match="away"):
            check(world, submission)
    assert check(world, submission) is SubmissionStatus.CHECKING
    world.later(minutes=3)
    assert check(world, submission) is SubmissionStatus.QUEUED


def test_a_submission_cancelled_during_its_check_stays_cancelled(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    submission = world.upload()
    real = archives.check_in_child

    def meanwhile(*given: Any, **options: Any) -> Any:
        with world.db.write() as s:
            submissions.cancel(s, account=world.account(s), submission_id=submission, now=world.now)
        return real(*given, **options)

    monkeypatch.setattr(archives, "check_in_child", meanwhile)
    assert check(world, submission) is SubmissionStatus.CANCELLED
    assert world.submission(submission).jobs == []


# --- known images ---------------------------------------------------------------------------------------


def known(world: World, team: str, task: Task = Task.PIXEL, image: Image | None = None) -> bool:
    world.team(team)
    with world.db.write() as s:
        found = submissions.receive_known(
            s,
            account=world.account(s, team),
            challenge=world.challenge(s),
            task=task,
            queue=Queue.FINAL,
            digest=(image or Image()).digest,
            now=world.now,
        )
        return found is not None and found.status is SubmissionStatus.QUEUED


def test_a_teams_own_image_needs_no_second_upload(world: World) -> None:
    world.submit("A")
    assert known(world, "A")
    assert world.tries("A", Task.PIXEL) == 1


def test_another_teams_image_is_not_known(world: World) -> None:
    world.submit("A")
    assert not known(world, "B")


def test_a_known_image_without_the_tasks_scripts_is_uploaded_to_be_refused(world: World) -> None:
    sample_only = {name: body for name, body in SCRIPTS.items() if "sample" in name}
    image = Image(layers=[tar(files(sample_only))])
    world.submit("A", archive=image.save())
    assert not known(world, "A", Task.PIXEL, image)
    assert known(world, "A", Task.SAMPLE, image)


def test_a_refused_image_is_not_known(world: World) -> None:
    image = Image(architecture="arm64")
    world.submit("A", archive=image.save())
    assert not known(world, "A", Task.SAMPLE, image)


# --- what old toy images leave --------------------------------------------------------------------------


def delete_old(world: World) -> list[str]:
    return submissions.delete_toy_images(world.db, world.store, world.now)


def finish_toy(world: World, team: str = "Team", image: Image | None = None) -> str:
    archive = (image or Image()).save()
    submission = world.submit(team, queue=Queue.TOY, archive=archive)
    for _ in range(2):
        world.finish(world.claim())
    return submission


def test_an_image_of_finished_toy_submissions_is_deleted_after_a_day(world: World) -> None:
    finish_toy(world)
    world.later(hours=24)
    assert delete_old(world) == []
    world.later(minutes=30)  # a check takes its own time
    assert delete_old(world) == [Image().digest]
    assert not world.store.exists(sha256(Image().save()))
    assert not known(world, "Team")


def test_an_image_of_a_final_submission_is_kept(world: World) -> None:
    finish_toy(world)
    world.submit("Other")
    world.later(days=10)
    assert delete_old(world) == []


def test_an_image_that_a_toy_submission_waits_for_is_kept(world: World) -> None:
    world.submit(queue=Queue.TOY)
    world.later(days=10)
    assert delete_old(world) == []


def test_a_deleted_image_can_be_handed_in_again(world: World) -> None:
    finish_toy(world)
    world.later(days=2)
    delete_old(world)
    oci = Image().save_oci()
    submission = world.submit(archive=oci)
    image = world.submission(submission).image
    assert image is not None
    assert (image.deleted_at, image.archive_sha256) == (None, sha256(oci))
    assert world.store.exists(sha256(oci))


# --- who sees what --------------------------------------------------------------------------------------


def test_a_team_sees_its_own_and_an_organizer_all(world: World) -> None:
    own, other = world.upload("A"), world.upload("B")
    organizer = world.organizer()
    with world.db.read() as s:
        account = world.account(s, "A")
        assert account.team is not None
        assert [one.id for one in submissions.for_team(s, account.team, 10, 0)] == [own]
        with pytest.raises(NotFound):
            submissions.get_for(s, account, other)
        boss = s.get_one(Account, organizer)
        assert submissions.get_for(s, boss, other).id == other
        everybody = submissions.all_submissions(s, world.challenge(s), 10, 0)
        assert {one.id for one in everybody} == {own, other}


def test_lists_are_paged_latest_first(world: World) -> None:
    names = []
    for _ in range(3):
        names.append(world.upload())
        world.later(minutes=1)
    with world.db.read() as s:
        team = world.account(s).team
        assert team is not None
        assert [one.id for one in submissions.for_team(s, team, 2, 0)] == [names[2], names[1]]
        assert [one.id for one in submissions.for_team(s, team, 2, 2)] == [names[0]]


def test_another_teams_submission_cannot_be_cancelled(world: World) -> None:
    submission = world.upload("A")
    world.team("B")
    with pytest.raises(NotFound), world.db.write() as s:
        submissions.cancel(s, account=world.account(s, "B"), submission_id=submission, now=world.now)


def test_an_organizer_may_cancel(world: World) -> None:
    submission = world.upload("A")
    organizer = world.organizer()
    with world.db.write() as s:
        submissions.cancel(s, account=s.get_one(Account, organizer), submission_id=submission, now=world.now)
    assert world.submission(submission).status is SubmissionStatus.CANCELLED
