"""What the end of a container start means."""

from typing import Any

import pytest

from server.protocol import ContainerUser, FailureCode, Limits, Task, WarningCode
from worker.runners.base import Ended, Outcome
from worker.runners.docker import ImageFacts
from worker.starts import Start, failure_of, owner_of, prediction_name, warnings_of


def outcome(**changes: Any) -> Outcome:
    given: dict[str, Any] = {
        "ended": Ended.EXITED,
        "exit_code": 0,
        "killed_for_memory": False,
        "wall_s": 1.0,
        "peak_memory_bytes": None,
        "log": "",
        "log_cut": False,
        "predicted_at_s": {},
    }
    return Outcome(**(given | changes))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"exit_code": 1}, FailureCode.EXIT),
        ({"exit_code": 137}, FailureCode.EXIT),  # killed by itself, say
        ({"exit_code": 137, "killed_for_memory": True}, FailureCode.MEMORY),
        ({"exit_code": 1, "killed_for_memory": True}, FailureCode.MEMORY),
        ({"exit_code": 0, "killed_for_memory": True}, None),
        ({"ended": Ended.BUDGET, "exit_code": None}, FailureCode.BUDGET),
        ({"ended": Ended.BUDGET, "exit_code": None, "killed_for_memory": True}, FailureCode.BUDGET),
        ({"ended": Ended.OUTPUT_FULL, "exit_code": None}, FailureCode.OUTPUT_FULL),
    ],
)
def test_an_end_has_one_code(changes: dict[str, Any], code: FailureCode | None) -> None:
    assert failure_of(outcome(**changes)) is code


def test_what_was_odd_is_a_warning() -> None:
    assert warnings_of(outcome()) == {}
    assert warnings_of(outcome(log_cut=True, killed_for_memory=True)) == {
        WarningCode.LOG_CUT: 1,
        WarningCode.CHILD_MEMORY: 1,
    }


def test_predictions_have_the_published_names() -> None:
    assert prediction_name(Task.PIXEL, "a.nii.gz") == "a.nii.gz"
    assert prediction_name(Task.SAMPLE, "a.nii.gz") == "a.nii.gz.txt"


@pytest.mark.parametrize(("user", "owner"), [("", 0), ("12:13", 12), ("ghost", None), ("4294967296", None)])
def test_the_output_folder_is_of_the_image_s_user_where_that_is_known(user: str, owner: int | None) -> None:
    image = ImageFacts(id="sha256:1", architecture="amd64", user=user, volumes=(), tags=(), last_tagged_at="")
    start = Start(
        image=image,
        task=Task.PIXEL,
        dataset="brain",
        cases=(),
        limits=Limits(),
        budget_s=1,
        user=ContainerUser.IMAGE,
    )
    assert owner_of(start) == owner
