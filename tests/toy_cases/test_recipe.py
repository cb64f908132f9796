from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.toy_cases.recipes import dataset
from toy_cases import recipe
from toy_cases.recipe import RecipeError


def text(**changes: Any) -> bytes:
    plain = {"slug": "small", "title": "Small", "seed": 5, "datasets": [dataset()]}
    return yaml.safe_dump(plain | changes).encode()


def test_the_example_is_a_recipe() -> None:
    read = recipe.parse(recipe.example().encode())

    assert [entry.name for entry in read.datasets] == ["brain", "abdom"]
    assert read.datasets[0].shape == (64, 64, 64)


def test_each_example_has_a_seed_that_nobody_tries_out() -> None:
    seeds = {recipe.parse(recipe.example().encode()).seed for _ in range(3)}

    assert len(seeds) == 3
    assert max(seeds) > 2**100


def test_what_is_written_reads_as_the_same_recipe() -> None:
    read = recipe.parse(text())

    assert recipe.parse(read.to_yaml()) == read


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"seed": -1}, "recipe.yaml: seed: Input should be greater than or equal to 0 (found -1): correct it"),
        ({"sede": 1}, "recipe.yaml: sede: Extra inputs are not permitted (found 1): take it out or correct its"),
        ({"datasets": []}, "datasets: List should have at least 1 item"),
        ({"datasets": [dataset(), dataset()]}, "one name stands twice: rename one"),
        ({"datasets": [dataset(size=8)]}, "recipe.yaml: datasets.0.size"),
        ({"datasets": [dataset(name="Knee joint")]}, "datasets.0.name: String should match pattern"),
        ({"datasets": [dataset(name="knee")]}, "there are no phantoms of 'knee': set source.anatomy to brain or abdom"),
        ({"datasets": [dataset(source={"kind": "folder"})]}, "datasets.0.source: a source of kind folder needs path"),
        ({"datasets": [dataset(source={"kind": "phantoms", "path": "x"})]}, "take path and window out"),
        (
            {"datasets": [dataset(source={"kind": "folder", "path": "x", "window": [5, 5]})]},
            "window [5.0, 5.0]: the first number must be below the second",
        ),
        ({"datasets": [dataset(test={"anomalous": {"picture": 3}})]}, "(found 'picture'): choose one of these"),
        ({"datasets": [dataset(test={"anomalous": {"images": -3}})]}, "datasets.0.test.anomalous.images"),
        ({"datasets": [dataset(sweeps={}, has_masks=False)]}, "sweeps are of the pixel task"),
        ({"datasets": [dataset(sweeps={"radius": False, "intensity": False})]}, "neither radius nor intensity"),
    ],
)
def test_a_complaint_names_place_value_and_remedy(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RecipeError) as refused:
        recipe.parse(text(**changes))

    assert complaint in str(refused.value)


def test_every_complaint_is_told_at_once() -> None:
    with pytest.raises(RecipeError) as refused:
        recipe.parse(text(seed="x", slug="", batch_size=0))

    assert len(refused.value.complaints) == 3


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"a: [", "is not YAML"),
        (b"seed: 1\nseed: 2\n", "the key 'seed' stands twice"),
        (b"- 1\n", "recipe.yaml: the whole"),
    ],
)
def test_a_text_that_is_no_recipe_is_refused(content: bytes, complaint: str) -> None:
    with pytest.raises(RecipeError, match=complaint):
        recipe.parse(content)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"nothing.yaml: cannot be read \(No such file"):
        recipe.read(tmp_path / "nothing.yaml")


def test_paths_start_at_the_recipe(tmp_path: Path) -> None:
    source = {"kind": "folder", "path": "scans", "modality": "mr"}
    (tmp_path / "recipe.yaml").write_bytes(text(datasets=[dataset(source=source, conditions="/elsewhere/ill.csv")]))

    read, content = recipe.read(tmp_path / "recipe.yaml")

    assert read.datasets[0].source.path == tmp_path / "scans"
    assert read.datasets[0].conditions == Path("/elsewhere/ill.csv")
    assert content == (tmp_path / "recipe.yaml").read_bytes()


@pytest.mark.parametrize(
    ("source", "modalities"),
    [
        ({"kind": "phantoms"}, {"mr"}),
        ({"kind": "phantoms", "anatomy": "abdom"}, {"ct"}),
        ({"kind": "template"}, {"mr"}),
        ({"kind": "folder", "path": "x", "modality": "ct"}, {"ct"}),
        ({"kind": "folder", "path": "x"}, {"ct", "mr"}),
    ],
)
def test_anomalies_must_fit_the_modality(source: dict[str, str], modalities: set[str]) -> None:
    read = recipe.parse(text(datasets=[dataset(source=source)]))

    assert read.datasets[0].modalities == modalities
