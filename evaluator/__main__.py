"""`python -m evaluator score PREDICTIONS LABELS --task pixel`: scores a folder on this machine."""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from evaluator.formats import SUFFIX, UnreadableError, Volume
from evaluator.parser import Parser, ParserError
from evaluator.readings import PixelReading, SampleReading
from evaluator.report import ToyCase, toy_report
from evaluator.tasks import SAMPLE, TASKS
from evaluator.wording import Report, report_lines

_VOXEL_BYTES: Final = 8
_SPARE_BYTES: Final = 64 << 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Score and print; 0, or 2 with a complaint."""
    options = _options().parse_args(arguments)
    suffix = f"{SUFFIX}.txt" if options.task == SAMPLE else SUFFIX
    names = sorted(path.name.removesuffix(".txt") for path in options.labels.glob(f"*{suffix}"))
    if not names:
        return _complain(f"{options.labels}: holds no label; those of the {options.task} task end in {suffix}")
    try:
        report = score(options.task, options.predictions, options.labels, names)
    except ParserError as error:
        return _complain(str(error))
    lines = [json.dumps(report, indent=2)] if options.json else report_lines(report)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def score(task: str, predictions: Path, labels: Path, names: Sequence[str]) -> Report:
    """Score the predictions of the named cases, as the toy cases of one data set. Raises ParserError."""
    with Parser() as parser:
        cases = [ToyCase(case=name, reading=_read(parser, task, predictions, labels, name)) for name in names]
    return toy_report(task, cases, wall_s=None, peak_memory_bytes=None)


def _read(parser: Parser, task: str, predictions: Path, labels: Path, name: str) -> PixelReading | SampleReading:
    if task == SAMPLE:
        return parser.sample(predictions / f"{name}.txt", labels / f"{name}.txt")
    label = labels / name
    try:
        with label.open("rb") as file:
            shape = Volume.open(file).shape
    except UnreadableError as error:
        raise ParserError(f"label {name}: {error}") from error
    max_bytes = _VOXEL_BYTES * math.prod(shape) + _SPARE_BYTES
    return parser.pixel(predictions / name, label, shape=shape, max_bytes=max_bytes)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evaluator", description="Scores predictions against labels.")
    command = parser.add_subparsers(required=True).add_parser("score", help="score a folder of predictions")
    command.add_argument("predictions", type=Path, help=f"<case>{SUFFIX} (pixel) or <case>{SUFFIX}.txt (sample)")
    command.add_argument("labels", type=Path, help="the same names")
    command.add_argument("--task", choices=TASKS, required=True)
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def _complain(message: str) -> int:
    sys.stderr.write(f"{message}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
