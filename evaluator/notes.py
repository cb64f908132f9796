"""What can be odd about a prediction: the codes, and the sentence of each.

A reading carries `{code: count}`. Within a case the count is of voxels for NAN, INFINITE and CLAMPED and 1
for all others; over many cases `totals` counts cases. The same strings stand in `server.protocol`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

MISSING: Final = "W-MISSING"
UNREADABLE: Final = "W-UNREADABLE"
SHAPE: Final = "W-SHAPE"
NOT_REGULAR: Final = "W-NOT-REGULAR"
TOO_LARGE: Final = "W-TOO-LARGE"
NAN: Final = "W-NAN"
INFINITE: Final = "W-INFINITE"
CLAMPED: Final = "W-CLAMPED"
CONSTANT: Final = "W-CONSTANT"
SCALED: Final = "W-SCALED"
GZIP_TAIL: Final = "W-GZIP-TAIL"

SENTENCES: Final[Mapping[str, str]] = {
    MISSING: "no prediction: counts 0",
    UNREADABLE: "the prediction cannot be read: counts 0",
    SHAPE: "the prediction has not the input's shape: counts 0",
    NOT_REGULAR: "the prediction is not a regular file of its own (a link, folder or pipe): counts 0",
    TOO_LARGE: "the prediction's file is over the size limit: counts 0",
    NAN: "NaN counts 0",
    INFINITE: "+inf counts 1, -inf counts 0",
    CLAMPED: "scores outside [0, 1] are clamped",
    CONSTANT: "every score is the same",
    SCALED: "the file carries a slope or an intercept: scores are stored value × slope + intercept",
    GZIP_TAIL: "the file has a bad checksum or bytes after the volume; its scores were read",
}

Notes = Mapping[str, int]


def totals(notes: Iterable[Notes]) -> dict[str, int]:
    """Count the cases that carry each code, in the order of the codes.

    >>> totals([{NAN: 5000}, {NAN: 1, SCALED: 1}, {}])
    {'W-NAN': 2, 'W-SCALED': 1}
    """
    cases = Counter(code for case in notes for code, count in case.items() if count)
    return {code: cases[code] for code in SENTENCES if cases[code]}
