"""Colour bars of a chart as stripes: viewers of PDF draw an SVG's gradient at some sizes and leave it out at others."""

import re
from itertools import pairwise

BAR = re.compile(r'<path d="M0,0h([\d.]+)v([\d.]+)h-[\d.]+Z" fill="url\(#(\w+)\)"[^>]*/>')  # as Vega draws a legend's
GRADIENT = re.compile(r'<linearGradient id="(\w+)"[^>]*>(.*?)</linearGradient>', re.DOTALL)
STOP = re.compile(r'<stop offset="([\d.]+)" stop-color="([^"]+)"')
OVERLAP = 0.5  # pixels, or the paper shines through between two


def striped(svg: str) -> str:
    """Give an SVG with each bar of a horizontal gradient as one rectangle for each of its stops."""
    stops = {name: [(float(at), colour) for at, colour in STOP.findall(of)] for name, of in GRADIENT.findall(svg)}
    return BAR.sub(lambda bar: _stripes(float(bar[1]), bar[2], stops.get(bar[3], [])) or bar[0], svg)


def _stripes(width: float, height: str, stops: list[tuple[float, str]]) -> str:
    return "".join(
        f'<rect x="{start * width:g}" width="{(end - start) * width + OVERLAP:g}" height="{height}" fill="{colour}"/>'
        for (start, colour), (end, _) in pairwise(stops)
    )
