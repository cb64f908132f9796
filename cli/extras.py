"""Imports a module when it is called for, and says which extra is missing where that fails."""

from importlib import import_module
from typing import Any

from cli.console import complain

OURS = {"cli", "server", "worker", "evaluator", "toy_cases", "reference_submissions"}


def loaded(module: str, what: str, extra: str | None) -> Any:
    """Give a module that `what` (a command, or an option of one) is made of; ends with 1 where it cannot be had."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in OURS:
            raise
        complain(f"{what} needs {error.name}, which is not installed: pip install 'mood-challenge[{extra}]'")
