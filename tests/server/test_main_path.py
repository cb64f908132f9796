"""From an upload to a rank, without a network or a container."""

from server import leaderboard
from server.protocol import SubmissionStatus, Task
from tests.server.world import World


def test_an_image_goes_from_upload_to_the_board(world: World) -> None:
    perfect = world.submit("Perfect", task=Task.PIXEL)
    for _ in range(2):
        world.finish(world.claim())
    world.later(minutes=1)
    constant = world.submit("Constant", task=Task.PIXEL)
    for _ in range(2):
        world.finish(world.claim(), constant=True)
    assert world.submission(perfect).status is SubmissionStatus.SCORED
    assert world.submission(constant).status is SubmissionStatus.SCORED
    with world.db.read() as s:
        board = leaderboard.board(s, world.challenge(s), Task.PIXEL)
    assert [(row.rank, row.team) for row in board.rows] == [(1, "Perfect"), (2, "Constant")]
    assert board.rows[0].values == {"brain": 1.0, "abdom": 1.0}
    # Three pixel cases of 64 voxels, of which 0, 1 and 1 are positive, in batches of 2 and 1.
    assert 0 < board.rows[1].values["brain"] <= 1 / 64
