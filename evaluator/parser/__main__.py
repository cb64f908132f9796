"""Starts the child: `python -I -m evaluator.parser`, with the parent's socket as standard input."""

import sys
from importlib import import_module
from typing import Any, cast

# nibabel and numba load scipy where it is installed. Nothing here needs it, and each child would hold 14 MB of it.
sys.modules["scipy"] = cast("Any", None)

if __name__ == "__main__":
    import_module("evaluator.parser.child").main()
