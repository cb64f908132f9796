import base64
import io

import numpy as np
import pytest
from PIL import Image

from server.web import pictures
from server.web.pictures import GAP, OUTLINE, STOPS, Window
from server.web.stripes import striped

SIDE = 128  # enlarged twice


def arrays(score: float = 1.0) -> tuple[pictures.Grey, pictures.Mask, pictures.Scores]:
    """A grey square with an anomaly at high x and high y: in the picture at the left, and at the top."""
    image = np.full((SIDE, SIDE), 100, dtype=np.uint8)
    label = np.zeros((SIDE, SIDE), dtype=bool)
    label[100:110, 90:100] = True
    return image, label, np.where(label, score, 0).astype(np.float16)


def test_patients_right_is_at_the_left_and_the_front_at_the_top() -> None:
    drawn = pictures.truth(*arrays()[:2])
    rows, columns = np.nonzero(np.all(drawn == OUTLINE, axis=-1))
    assert columns.max() < SIDE  # of 2 × SIDE pixels
    assert rows.max() < SIDE


def test_outline_lies_round_the_anomaly_and_hides_none_of_it() -> None:
    image, label, _ = arrays()
    drawn = pictures.truth(image, label)
    inside = label.T[::-1, ::-1].repeat(2, axis=0).repeat(2, axis=1)
    assert np.all(drawn[inside] == 100)


def test_highest_score_has_the_last_colour_and_the_lowest_none() -> None:
    image, label, scores = arrays(score=0.3)
    drawn = pictures.heat(image, label, scores, Window.of([scores]))
    inside = label.T[::-1, ::-1].repeat(2, axis=0).repeat(2, axis=1)
    assert np.allclose(drawn[inside], STOPS[-1][1])
    assert np.all(drawn[-1, -1] == 100)


@pytest.mark.parametrize("score", [0.0, 0.7])
def test_constant_scores_colour_nothing(score: float) -> None:
    image, label, _ = arrays()
    scores = np.full(image.shape, score, dtype=np.float16)
    assert np.array_equal(pictures.heat(image, label, scores, Window.of([scores])), pictures.truth(image, label))


def test_window_runs_over_all_slices() -> None:
    low, high = np.full((2, 2), 0.25, dtype=np.float16), np.full((2, 2), 0.75, dtype=np.float16)
    assert Window.of([low, high]) == Window(low=0.25, high=0.75)
    assert Window.of([]) == Window(low=0.0, high=0.0)


def test_pair_puts_truth_at_the_left_and_scores_at_the_right() -> None:
    image, label, scores = arrays()
    drawn = pictures.pair(image, label, scores, Window(low=0.0, high=1.0))
    assert drawn.shape == (2 * SIDE, 4 * SIDE + GAP, 3)
    assert np.array_equal(drawn[:, : 2 * SIDE], pictures.truth(image, label))


def test_thumbnail_is_a_small_jpeg_in_an_address() -> None:
    head, _, content = pictures.thumbnail(pictures.scan(np.zeros((512, 256), dtype=np.uint8))).partition(",")
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (256, 128)


def test_gradients_become_stripes_of_the_same_colours_and_width() -> None:
    stops = "".join(f'<stop offset="{at}" stop-color="rgb({at}, 0, 0)"/>' for at in (0, 0.5, 1))
    gradient = f'<linearGradient id="g" x1="0">{stops}</linearGradient>'
    found = striped(f'<svg>{gradient}<path d="M0,0h100v8h-100Z" fill="url(#g)" opacity="1"/></svg>')
    assert "url(#g)" not in found
    assert found.count("<rect") == 2
    assert '<rect x="50" width="50.5" height="8" fill="rgb(0.5, 0, 0)"/>' in found


def test_what_is_no_gradient_stays() -> None:
    other = '<svg><path d="M0,0h100v8h-100Z" fill="url(#missing)"/><path d="M0,0h9v8h-9Z" fill="red"/></svg>'
    assert striped(other) == other
