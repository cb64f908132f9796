"""Run time and memory against AP: BMAD's figure 3."""

from collections.abc import Iterator, Mapping, Sequence

from evaluator.analysis.entries import Entry
from evaluator.analysis.tables import Column, Row, Table, table
from evaluator.analysis.words import AP, DATASET, TEAM, listed

COLUMNS = (
    DATASET,
    TEAM,
    Column(name="seconds_a_case", title="Time a case", kind="number", unit="s", digits=1),
    Column(name="peak_memory_gb", title="Peak memory", kind="number", unit="GB", digits=2),
    AP,
)
CAPTION = (
    "Wall-clock time a case and peak memory of the container that predicted the hidden cases, beside the official AP. "
    "Time is that of the whole container start, loading included, divided by its cases, on the host that ran it; 1 GB "
    "is 10⁹ bytes. Hosts may differ, and memory is the main memory that the engine counts, not that of a GPU."
)
_BYTES_IN_A_GB = 1e9


def costs(entries: Mapping[str, Sequence[Entry]]) -> Table:
    """Make the table."""
    rows = [_row(dataset, entry) for dataset, found in entries.items() for entry in found]
    return table("costs", "Time and memory", CAPTION, COLUMNS, rows, *_notes(entries))


def _row(dataset: str, entry: Entry) -> Row:
    memory = entry.peak_memory_bytes
    return {
        "dataset": dataset,
        "team": entry.team,
        "seconds_a_case": entry.seconds,
        "peak_memory_gb": None if memory is None else memory / _BYTES_IN_A_GB,
        "ap": entry.value,
    }


def _notes(entries: Mapping[str, Sequence[Entry]]) -> Iterator[str]:
    for dataset, found in entries.items():
        for what, missing in (
            ("time", [entry.team for entry in found if entry.seconds is None]),
            ("memory", [entry.team for entry in found if entry.peak_memory_bytes is None]),
        ):
            if missing:
                yield f"{dataset}: the {what} of {listed(missing)} was not measured."
