"""What every command prints with: the two streams, and how to end with a complaint."""

from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def complain(message: str) -> NoReturn:
    """Print what is wrong to standard error and end with 1."""
    err.print(message, style="red", markup=False)
    raise typer.Exit(1)


def write(path: Path, content: str) -> None:
    """Write a file that was asked for, or say why it cannot be written."""
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        complain(f"{path}: cannot be written: {error.strerror}")


def duration(seconds: float) -> str:
    """Write seconds as people say them: 8 s, 3 min 20 s, 2 h 05 min.

    >>> duration(8.4), duration(200), duration(7500)
    ('8 s', '3 min 20 s', '2 h 05 min')
    """
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004  a minute
        return f"{whole} s"
    if whole < 3600:  # noqa: PLR2004  an hour
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(count: float) -> str:
    """Write bytes as people say them.

    >>> size(512), size(3_400_000)
    ('512 B', '3.4 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004  decimal units
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
