"""The parser process: opens what came out of a container, where a mistake in a decoder costs nothing."""
