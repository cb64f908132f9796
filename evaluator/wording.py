"""Reports as text. Imports no third party, so that a command line without numpy can show them."""

from collections.abc import Mapping
from typing import Any

from evaluator import notes
from evaluator.tasks import SAMPLE

Report = dict[str, Any]  # as `evaluator.report.toy_report` makes it


def report_lines(report: Report) -> list[str]:
    """Write a report as plain text, for a terminal."""
    lines = [f"average precision  {number(report['ap'])}", f"distinct scores    {report['distinct']}"]
    bounds = report["ap_bounds"]
    if bounds is not None and bounds[0] != bounds[1]:
        lines.append(f"unrounded          average precision between {number(bounds[0])} and {number(bounds[1])}")
    if report["wall_s"] is not None:
        memory = report["peak_memory_bytes"]
        lines.append(f"run time           {report['wall_s']:.1f} s")
        lines.append(f"peak memory        {'too short to measure' if memory is None else f'{memory / 1e6:.0f} MB'}")
    lines += [_case_line(case, report["task"]) for case in report["cases"]]
    lines += [warning_line(warning["code"], warning["count"]) for warning in report["warnings"]]
    return lines


def warning_line(code: str, count: int) -> str:
    """Write one warning with its sentence.

    >>> warning_line("W-NAN", 2)
    'W-NAN ×2: NaN counts 0'
    """
    sentence = notes.SENTENCES.get(code)
    return f"{code} ×{count}: {sentence}" if sentence else f"{code} ×{count}"


def number(value: float | None) -> str:
    """Write a metric with six digits, or n/a where it is undefined."""
    return "n/a" if value is None else f"{value:.6f}"


def _case_line(case: Mapping[str, Any], task: str) -> str:
    kind = "anomalous" if case["label"] else "normal"
    found = f"score {number(case['score'])}" if task == SAMPLE else f"AP {number(case['ap'])}"
    odd = ", ".join(f"{code} ×{count}" for code, count in case["notes"].items())
    return f"{case['case']:<24} {kind:<9} {found}  {case['status']}  {odd}".rstrip()
