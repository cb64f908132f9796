"""The catalogue of sentences is complete, and tells nothing of hidden cases."""

import pytest

from server import messages
from server.protocol import FailureCode, Stage, WarningCode


@pytest.mark.parametrize("code", FailureCode)
def test_every_failure_says_what_happened_and_what_to_do(code: FailureCode) -> None:
    text = messages.failure(code)
    assert text.count(".") >= 2
    assert text == messages.failure(code, None, None)


@pytest.mark.parametrize("code", WarningCode)
def test_every_warning_has_a_sentence_for_one_and_for_many(code: WarningCode) -> None:
    assert messages.warning(code, 1).endswith(".")
    assert "7" in messages.warning(code, 7)
    assert "20" in messages.hidden_warning(code, 20)


def test_detail_is_shown_for_archive_and_toy_cases_alone() -> None:
    shown = "exit code 3"
    assert shown in messages.failure(FailureCode.EXIT, Stage.TOY, shown)
    assert shown in messages.failure(FailureCode.ARCHIVE_SCRIPTS, None, shown)
    assert shown not in messages.failure(FailureCode.EXIT, Stage.HIDDEN, shown)
    assert shown not in messages.failure(FailureCode.PLATFORM, Stage.TOY, shown)


def test_the_stage_is_named() -> None:
    assert "on the toy cases" in messages.failure(FailureCode.EXIT, Stage.TOY)
    assert "on the hidden cases" in messages.failure(FailureCode.EXIT, Stage.HIDDEN)


def test_an_oci_layout_is_told_the_command_that_converts_it() -> None:
    text = messages.failure(FailureCode.ARCHIVE_OCI)
    assert "skopeo copy oci-archive:" in text
    assert "docker save" in text
