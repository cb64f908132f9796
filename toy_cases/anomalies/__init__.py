"""Anomalies of every published category, put into normal scans."""

from toy_cases.anomalies.base import (
    VISIBLE,
    Array,
    Category,
    Draw,
    Drawn,
    Kind,
    Mask,
    NoPlaceError,
    Scope,
    settle,
)
from toy_cases.anomalies.shapes import SHAPES, Shape, cube, cube_at, fixed_place, sphere, sphere_at
from toy_cases.anomalies.whole import GLOBALS, Global
from toy_cases.body import body_of

__all__ = [
    "GLOBALS",
    "SHAPES",
    "VISIBLE",
    "Array",
    "Category",
    "Draw",
    "Drawn",
    "Global",
    "Kind",
    "Mask",
    "NoPlaceError",
    "Scope",
    "Shape",
    "body_of",
    "cube",
    "cube_at",
    "fixed_place",
    "settle",
    "sphere",
    "sphere_at",
]
