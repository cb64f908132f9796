"""Analyses of a challenge: from what scoring kept to tidy tables. Values in, values out; no volume is read."""
