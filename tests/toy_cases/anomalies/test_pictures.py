import numpy as np
import pytest

from toy_cases.anomalies import pictures

DRAWINGS = {
    draw.__name__: draw
    for draw in (
        pictures.letter, pictures.gorilla, pictures.face, pictures.checks, pictures.ring, pictures.arrow,
        pictures.cross, pictures.star, pictures.photograph, pictures.lettering,
    )
}  # fmt: skip


def drawn(name: str, side: int = 101, seed: int = 0) -> pictures.Picture:
    line = np.linspace(-1.25, 1.25, side, dtype=np.float32)
    return DRAWINGS[name](line[:, None], line[None, :], np.random.default_rng(seed))


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_picture_lies_within_its_square_and_covers_some_of_it(name: str) -> None:
    picture = drawn(name)

    shows = np.broadcast_to(picture.depth, (101, 101)) > 0
    outside = np.abs(np.linspace(-1.25, 1.25, 101)) > 1.05
    assert not shows[outside].any()
    assert not shows[:, outside].any()
    assert 0.03 < shows.mean() < 0.7
    grey = np.asarray(picture.grey)
    assert 0 <= grey.min() <= grey.max() <= 1


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_picture_is_the_same_at_every_size(name: str) -> None:
    small, large = (np.broadcast_to(drawn(name, side, 3).depth, (side, side)) for side in (51, 101))

    np.testing.assert_allclose(large[::2, ::2], small, atol=1e-4)


@pytest.mark.parametrize("name", ["gorilla", "face", "arrow", "cross", "star"])
def test_what_stands_upright_is_mirrored_about_its_own_axis(name: str) -> None:
    depth = np.broadcast_to(drawn(name).depth, (101, 101))

    mirrored = depth[:, ::-1] if name == "arrow" else depth[::-1]
    np.testing.assert_allclose(mirrored, depth, atol=1e-4)


def test_a_gorilla_has_a_head_above_two_arms() -> None:
    shows = drawn("gorilla").depth > 0

    across = [np.count_nonzero(np.diff(shows[:, row].astype(int)) == 1) for row in range(101)]
    assert across[75] == 1  # the head, half way up
    assert 3 in across  # the trunk between its arms


def test_letters_say_which_they_are() -> None:
    said = {drawn("letter", 11, seed).says for seed in range(60)}

    assert len(said) > 8
    assert said <= set(pictures.GLYPHS)
    assert len(drawn("lettering").says) == 4
