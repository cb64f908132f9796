"""`python -m cli` is the `mood` command: for processes that start one another."""

from cli.main import main

main()
