import csv
import io
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from cli import data
from evaluator.dataset import DatasetError
from tests.toy_cases import recipes
from toy_cases.build import COLUMNS as WRITTEN
from toy_cases.build import build
from toy_cases.page import Figure, Section, page
from toy_cases.sheets import CELL, GAP, ORANGE, Tile, contour, fullest, sheet, strip
from toy_cases.show import COLUMNS, ShowError, chosen, show

RAS = np.diag([1.0, 1, 1, 1])


def row(case: str, subcategory: str = "", size: int = 0) -> dict[str, str]:
    return dict.fromkeys(WRITTEN, "") | {"case": case, "subcategory": subcategory, "size_voxels": str(size)}


def is_orange(picture: Image.Image) -> npt.NDArray[np.bool_]:
    return np.asarray((np.asarray(picture) == ORANGE).all(axis=2))


def cells(picture: Image.Image) -> list[Image.Image]:
    return [picture.crop((x, 0, x + CELL, CELL)) for x in range(0, picture.width, CELL + GAP)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small challenge of few scans."""
    out = tmp_path_factory.mktemp("made") / "out"
    build(recipes.plan(seed=8), out, processes=1)
    return out / "challenge"


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "challenge"))


def test_every_category_gets_a_sheet_and_the_page_holds_all_pictures(made: Path, tmp_path: Path) -> None:
    shown = show(made, tmp_path / "sheets")

    names = {path.stem for path in shown.sheets}
    assert names == {"brain-toy", "brain-normal", "brain-images", "brain-pathologies", "brain-destructions"}
    text = shown.page.read_text(encoding="utf-8")
    assert text.count("<figure>") == 14
    assert text.count("data:image/jpeg;base64,") == 14
    assert re.findall(r'(?:src|href)="(?!data:|#)([^"]+)"', text) == [path.name for path in shown.sheets]
    for path in shown.sheets:
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            assert is_orange(picture).any() == (path.stem not in {"brain-normal", "brain-destructions"})


def test_the_same_folder_gives_the_same_pictures(made: Path, tmp_path: Path) -> None:
    first, second = (show(made, tmp_path / name) for name in ("a", "b"))

    for one, other in zip((first.page, *first.sheets), (second.page, *second.sheets), strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_no_more_of_a_category_than_asked_for_and_it_is_said(made: Path, tmp_path: Path) -> None:
    shown = show(made, tmp_path, most=1)

    assert "brain: images: 1 of 2 cases are shown, spread over the subcategories; --most shows more." in shown.sentences
    assert "brain: pathologies: The only case." in shown.sentences
    assert shown.page.read_text(encoding="utf-8").count("<figure>") == 5


def test_reused_scans_are_stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def drawn(title: str, remarks: Sequence[str], tiles: Sequence[Tile]) -> Image.Image:
        said.append(" ".join(remarks))
        return sheet(title, remarks, tiles)

    monkeypatch.setattr("toy_cases.show.sheet", drawn)
    folder = tmp_path / "scans"
    folder.mkdir()
    brain = build(recipes.plan(seed=8), tmp_path / "drawn", processes=1).training
    for path in (brain / "brain").iterdir():
        shutil.copy(path, folder)
    few = recipes.dataset(source={"kind": "folder", "path": folder, "modality": "mr"}, training=0)
    build(recipes.plan(few, reuse_scans=True), tmp_path / "out", processes=1)

    shown = show(tmp_path / "out" / "challenge", tmp_path / "sheets")

    assert "cases of one scan are not independent" in shown.page.read_text(encoding="utf-8")
    assert said
    assert all("cases of one scan are not independent" in remarks for remarks in said)
    assert ", moved" in shown.page.read_text(encoding="utf-8")


def test_one_data_set_can_be_asked_for(made: Path, tmp_path: Path) -> None:
    assert show(made, tmp_path, dataset="brain").sheets
    with pytest.raises(ShowError, match="has no data set 'abdom'; there are brain"):
        show(made, tmp_path, dataset="abdom")


def test_each_subcategory_has_its_share_from_small_to_large() -> None:
    rows = [row(f"a{i}", "letter", 10 * i) for i in range(1, 10)] + [row("b", "star", 5)]

    picked = chosen(rows, 4)

    assert [each["case"] for each in picked] == ["a1", "a5", "a9", "b"]
    assert chosen(rows, 100) == rows
    assert [each["case"] for each in chosen(rows, 1)] == ["a1"]


def test_a_folder_above_is_told_which_to_name(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ShowError, match="name one of its folders: challenge"):
        show(made.parent, tmp_path)
    with pytest.raises(ShowError, match="as `mood data make` writes them"):
        show(tmp_path / "nowhere", tmp_path)


def damage_table(folder: Path) -> None:
    (folder / "cases.csv").write_bytes(b"\xff\xfe\x00")


def drop_columns(folder: Path) -> None:
    (folder / "cases.csv").write_text("case,dataset,split,scope,category,subcategory,origin,difficulty\n")


def empty_table(folder: Path) -> None:
    (folder / "cases.csv").write_text(",".join(WRITTEN) + "\n")


def leave_the_folder(folder: Path) -> None:
    text = (folder / "cases.csv").read_text()
    (folder / "cases.csv").write_text(text.replace("brain,test", "../brain,test", 1))


def drop_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def drop_volume(folder: Path) -> None:
    next((folder / "brain" / "test").iterdir()).unlink()


def cut_volume(folder: Path) -> None:
    path = next((folder / "brain" / "test").iterdir())
    path.write_bytes(path.read_bytes()[:3000])


def no_volume(folder: Path) -> None:
    next((folder / "brain" / "test").iterdir()).write_bytes(b"not a volume")


def other_shape(folder: Path) -> None:
    path = next((folder / "brain" / "test_label" / "pixel").iterdir())
    nib.save(nib.Nifti1Image(np.zeros((3, 3, 3), np.uint8), RAS), path)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (damage_table, "cases.csv: cannot be read"),
        (drop_columns, "lacks contrast, size_voxels, source"),
        (empty_table, "lists no case"),
        (leave_the_folder, r"line \d+: dataset '../brain' is no name"),
        (drop_manifest, "manifest.json: cannot be read"),
        (drop_volume, "is listed in cases.csv but missing"),
        (cut_volume, "cannot be shown"),
        (no_volume, "cannot be shown"),
        (other_shape, r"but its pixel label \(3, 3, 3\)"),
    ],
)
def test_a_bad_folder_is_told_so(copied: Path, tmp_path: Path, harm: Callable[[Path], None], said: str) -> None:
    harm(copied)

    with pytest.raises((ShowError, DatasetError), match=said):
        show(copied, tmp_path / "sheets")


def test_the_columns_it_needs_are_written() -> None:
    assert set(WRITTEN) >= COLUMNS


def test_what_is_in_the_table_cannot_become_markup(copied: Path, tmp_path: Path) -> None:
    with (copied / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0] |= {
        "subcategory": "<script>alert(1)</script>",
        "source": '"><b>',
        "parameters": "not JSON",
        "size_voxels": "many",
    }
    text = io.StringIO()
    writer = csv.DictWriter(text, WRITTEN)
    writer.writeheader()
    writer.writerows(rows)
    (copied / "cases.csv").write_text(text.getvalue())

    written = show(copied, tmp_path / "sheets").page.read_text(encoding="utf-8")

    assert "<script" not in written
    assert "<b>" not in written


def test_an_anomaly_is_cut_where_its_slices_have_most_of_it() -> None:
    mask = np.zeros((9, 9, 9), np.bool_)
    mask[1, 2, 3] = True
    mask[5:8, 4, 4:7] = True

    assert fullest(mask) == (6, 4, 5)
    assert fullest(np.zeros((3, 3, 3), np.bool_)) is None


def test_the_outline_leaves_all_of_the_anomaly_to_be_seen() -> None:
    mask = np.zeros((5, 5), np.bool_)
    mask[2, 2] = True

    assert np.argwhere(contour(mask)).tolist() == [[1, 2], [2, 1], [2, 3], [3, 2]]


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, 1), (-1, -1, 1), (1, 1, -1)])
def test_slices_lie_as_a_radiologist_holds_them(flips: tuple[int, int, int]) -> None:
    volume = np.zeros((32, 32, 32), np.float32)
    volume[26:, :, :] = 0.3  # the patient's right
    volume[:, 26:, :] = 0.6  # front
    volume[:, :, 26:] = 1.0  # up
    stored = np.ascontiguousarray(volume[:: flips[0], :: flips[1], :: flips[2]])
    # In RAS the first axis grows to the right.
    affine = np.diag([*map(float, flips), 1.0])

    axial, coronal, sagittal = (
        np.asarray(cell)[..., 0] for cell in cells(strip(nib.Nifti1Image(stored, affine), None))
    )

    middle, edge, far = CELL // 2, 5, CELL - 6
    assert (axial[edge, middle], axial[middle, edge], axial[middle, far]) == (153, 76, 0)
    assert (coronal[edge, middle], coronal[middle, edge], coronal[middle, far]) == (255, 76, 0)
    assert (sagittal[edge, middle], sagittal[middle, edge], sagittal[middle, far]) == (255, 153, 0)


def test_flat_boxes_keep_their_proportions() -> None:
    box = nib.Nifti1Image(np.ones((20, 40, 8), np.float32), np.diag([2.0, 1.0, 3.0, 1.0]))

    lit = [np.argwhere(np.asarray(cell)[..., 0] > 0) for cell in cells(strip(box, None))]

    assert [tuple(np.ptp(each, axis=0) + 1) for each in lit] == [(160, 160), (96, 160), (96, 160)]


def test_one_voxel_of_a_large_volume_is_outlined() -> None:
    volume = np.full((400, 16, 400), 0.5, np.float32)
    mask = np.zeros(volume.shape, np.uint8)
    mask[200, 8, 200] = 1

    outlined = [is_orange(cell) for cell in cells(strip(nib.Nifti1Image(volume, RAS), nib.Nifti1Image(mask, RAS)))]

    assert all(each.any() for each in outlined)


def test_intensities_are_shown_as_they_are() -> None:
    volume = np.full((24, 24, 24), 0.5, np.float32)
    volume[:12] = 7.0
    volume[0] = np.nan
    picture = np.asarray(cells(strip(nib.Nifti1Image(volume, RAS), None))[0])[..., 0]

    assert set(np.unique(picture).tolist()) == {0, 128, 255}


def test_a_long_caption_is_cut_to_its_place() -> None:
    tile = Tile(picture=Image.new("RGB", (3 * CELL + 2 * GAP, CELL)), lines=("x" * 500, "second"))

    drawn = np.asarray(sheet("title", ["remark " * 100], [tile]))

    beyond = 24 + 3 * CELL + 2 * GAP
    assert (drawn[-70:, beyond:] == 255).all()


def test_a_page_says_what_it_is_told() -> None:
    figure = Figure.of(Image.new("RGB", (30, 10)), ("first", "second & last"))
    written = page("A & B", ["remark"], [Section(anchor="a", heading="h", said="s", link="a.png", figures=(figure,))])

    assert "<h1>A &amp; B</h1>" in written
    assert "<strong>first</strong><br>second &amp; last" in written
    assert 'width="30" height="10"' in written


def call(app: typer.Typer, *arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, " ".join(done.output.split())


def test_the_command_writes_beside_the_folder(copied: Path) -> None:
    code, said = call(data.app, "show", copied, "--most", "1")

    assert code == 0, said
    assert "brain: destructions: 1 of 2 cases are shown" in said
    assert (copied.parent / "challenge-sheets" / "index.html").is_file()


def test_the_command_complains_in_a_sentence(tmp_path: Path) -> None:
    code, said = call(data.app, "show", tmp_path / "none", "--out", tmp_path / "sheets")

    assert code == 1
    assert "is no challenge folder" in said
    assert not (tmp_path / "sheets").exists()
