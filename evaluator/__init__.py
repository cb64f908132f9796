"""Scores predictions of medical anomaly detectors exactly as the MOOD challenge does."""

__version__ = "0.1.0"
