"""Charts as files: SVG for paper and for pages without script, PNG for slides. Nothing is fetched."""

from collections.abc import Mapping
from typing import Any

import vl_convert

VEGA_LITE = "6.4"  # what the vendored scripts speak too
PNG_SCALE = 2.0  # pixels of a picture for each of the chart's


def svg(spec: Mapping[str, Any]) -> str:
    """Draw a Vega-Lite specification as SVG, its texts as texts."""
    drawn: str = vl_convert.vegalite_to_svg(dict(spec), vl_version=VEGA_LITE, allowed_base_urls=[])
    return drawn


def png(spec: Mapping[str, Any], *, scale: float = PNG_SCALE) -> bytes:
    """Draw a Vega-Lite specification as PNG."""
    drawn: bytes = vl_convert.vegalite_to_png(dict(spec), vl_version=VEGA_LITE, scale=scale, allowed_base_urls=[])
    return drawn
