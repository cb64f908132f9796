"""From a recipe to a folder, and what is committed to before a challenge opens."""

import re
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from cli import challenge, data
from evaluator.dataset import Manifest
from tests.toy_cases import recipes


def call(app: typer.Typer, *arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, " ".join(done.output.split())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a small recipe came to."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "recipe.yaml").write_bytes(recipes.recipe().to_yaml())
    code, said = call(data.app, "make", folder / "recipe.yaml", folder / "out", "--processes", "1")
    assert code == 0, said
    return folder / "out"


def test_the_printed_recipe_can_be_followed() -> None:
    code, said = call(data.app, "recipe")

    assert code == 0
    assert "half normal" in said


def test_a_recipe_becomes_a_challenge(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == {"challenge", "participants", "journal.jsonl"}
    assert len(Manifest.read(made / "challenge").cases("brain", "test", "sample")) == 10
    assert call(challenge.app, "check", made / "challenge")[0] == 0


def test_what_is_hidden_and_what_is_handed_out_is_said(made: Path) -> None:
    code, said = call(data.app, "make", made.parent / "recipe.yaml", made)

    assert code == 0
    assert "brain: 4 toy cases, 10 hidden (5 normal, 3 with a local anomaly, 2 abnormal as a whole)" in said
    assert f"{made / 'participants'}: to hand out" in said


def test_a_recipe_that_cannot_be_followed_ends_with_its_complaints(tmp_path: Path) -> None:
    fields = yaml.safe_load(recipes.recipe().to_yaml())
    fields["datasets"][0]["size"] = 3
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(fields))

    code, said = call(data.app, "make", tmp_path / "recipe.yaml", tmp_path / "out")

    assert code == 1
    assert "recipe.yaml: datasets.0.size" in said
    assert not (tmp_path / "out").exists()


def test_what_was_committed_to_is_verified(made: Path) -> None:
    code, said = call(challenge.app, "commit", made / "challenge")
    (commitment,) = re.findall(r"[0-9a-f]{64}", said)
    assert code == 0

    assert call(challenge.app, "verify", made / "challenge", "--commitment", commitment)[0] == 0
    code, said = call(challenge.app, "verify", made / "challenge", "--commitment", "0" * 64)
    assert code == 1
    assert commitment in said


def test_a_manifest_that_a_recipe_made_is_not_written_over(made: Path) -> None:
    before = (made / "challenge" / "manifest.json").read_bytes()

    code, said = call(challenge.app, "init", made / "challenge")

    assert code == 1
    assert "is complete: edit challenge.yaml as you like" in said
    assert (made / "challenge" / "manifest.json").read_bytes() == before


def test_a_folder_that_is_not_as_its_manifest_says_is_not_committed_to(made: Path, tmp_path: Path) -> None:
    manifest = Manifest.read(made / "challenge")
    manifest.write(tmp_path)

    code, said = call(challenge.app, "commit", tmp_path)

    assert code == 1
    assert "is missing; copy it again" in said
    assert not (tmp_path / "commitment.json").exists()
