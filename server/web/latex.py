"""Tables as LaTeX, for a paper: booktabs' rules, longtable where one page would not do."""

import re
from collections.abc import Iterable

from evaluator.analysis.tables import Column, Table
from server.web.cells import heading, lines

LONG = 45  # rows; more do not fit on a page
SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "−": r"$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "≠": r"$\neq$",
    "→": r"$\to$",
    "∞": r"$\infty$",
    "½": r"$\frac{1}{2}$",
    **{sign: f"$^{digit}$" for digit, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{sign: f"$_{digit}$" for digit, sign in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    "τ": r"$\tau$",
    "Σ": r"$\Sigma$",
    "√": r"$\surd$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "“": "``",
    "”": "''",
    "’": "'",
    "\N{NO-BREAK SPACE}": "~",
}
TO_ESCAPE = re.compile("|".join(map(re.escape, SPECIAL)))


def latex(table: Table) -> str:
    r"""Give a table with its caption and notes; `\usepackage{booktabs}`, and `{longtable}` where it is long."""
    is_long = len(table.rows) > LONG
    packages = r"\usepackage{booktabs,longtable}" if is_long else r"\usepackage{booktabs}"
    caption = rf"\caption{{\textbf{{{escape(table.title)}.}} {escape(table.caption)}}}\label{{tab:{table.name}}}"
    parts = [f"% {packages}"]
    parts += _long(table, caption) if is_long else _short(table, caption)
    return "\n".join(parts) + "\n"


def escape(text: str) -> str:
    r"""Give text that LaTeX prints as it is; other letters than these it knows, or XeLaTeX does.

    >>> print(escape("50 % of team_1"))
    50 \% of team\_1
    """
    return TO_ESCAPE.sub(lambda found: SPECIAL[found[0]], " ".join(text.split()))


def _short(table: Table, caption: str) -> list[str]:
    return [
        r"\begin{table}",
        r"\centering",
        caption,
        rf"\begin{{tabular}}{{{_alignment(table.columns)}}}",
        r"\toprule",
        _heads(table),
        r"\midrule",
        *_rows(table),
        r"\bottomrule",
        r"\end{tabular}",
        *_notes(table),
        r"\end{table}",
    ]


def _long(table: Table, caption: str) -> list[str]:
    return [
        rf"\begin{{longtable}}{{{_alignment(table.columns)}}}",
        rf"{caption}\\",
        r"\toprule",
        _heads(table),
        r"\midrule",
        r"\endfirsthead",
        r"\toprule",
        _heads(table),
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *_rows(table),
        r"\end{longtable}",
        *_notes(table),
    ]


def _alignment(columns: tuple[Column, ...]) -> str:
    return "@{}" + "".join("l" if column.kind == "text" else "r" for column in columns) + "@{}"


def _heads(table: Table) -> str:
    return _line(heading(column) for column in table.columns)


def _rows(table: Table) -> list[str]:
    found: list[str] = []
    for line in lines(table):
        if line.begins and found:
            found.append(r"\addlinespace")
        found.append(_line(line.cells))
    return found


def _line(cells: Iterable[str]) -> str:
    return " & ".join(map(escape, cells)) + r" \\"


def _notes(table: Table) -> list[str]:
    return [r"\par\smallskip\footnotesize", *map(escape, table.notes)] if table.notes else []
