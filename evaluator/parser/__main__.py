"""Starts the child: `python -I -m evaluator.parser`, with the parent's socket as standard input."""

from evaluator.parser.child import main

if __name__ == "__main__":
    main()
