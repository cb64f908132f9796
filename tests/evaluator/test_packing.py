"""Arrays as bytes; what is believed of them is tested with sketches."""

import numpy as np
import pytest

from evaluator.packing import pack, unpack

DTYPES = {"sizes": "<u8", "bins": "<u2"}
ARRAYS = {"sizes": np.array([3, 1], dtype="<u8"), "bins": np.array([7], dtype="<u2")}


def test_arrays_come_back_and_equal_ones_have_equal_bytes() -> None:
    content = pack(ARRAYS)
    found = unpack("regions", content, DTYPES, most_bytes=1 << 16)
    assert {name: array.tolist() for name, array in found.items()} == {"sizes": [3, 1], "bins": [7]}
    assert content == pack({name: array.copy() for name, array in ARRAYS.items()})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (pack(ARRAYS)[:-1], "regions is damaged"),
        (pack({"sizes": ARRAYS["sizes"]}), "regions holds"),
        (pack({**ARRAYS, "bins": np.array([7.0])}), "regions's bins is float64"),
        (pack({**ARRAYS, "bins": np.array([[7]], dtype="<u2")}), "regions's bins is uint16"),
        (pack({**ARRAYS, "sizes": np.zeros(1 << 16, dtype="<u8")}), "regions's sizes claims 524416 bytes"),
        (bytes((1 << 16) + 1), "regions has 65537 bytes"),
    ],
)
def test_other_bytes_are_refused(content: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        unpack("regions", content, DTYPES, most_bytes=1 << 16)
