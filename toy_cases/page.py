"""A page of pictures that needs no other file: every picture is in it, and it can be read on a phone."""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

QUALITY = 88  # of JPEG; colour is kept at full resolution, for the outline is one pixel wide


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture and what stands below it."""

    jpeg: bytes
    size: tuple[int, int]  # pixels, width and height
    lines: tuple[str, ...]

    @classmethod
    def of(cls, picture: Image.Image, lines: tuple[str, ...]) -> "Figure":
        """Pack a picture."""
        packed = io.BytesIO()
        picture.save(packed, "JPEG", quality=QUALITY, subsampling=0)
        return cls(jpeg=packed.getvalue(), size=picture.size, lines=lines)


@dataclass(frozen=True, kw_only=True)
class Section:
    """Pictures under one heading."""

    anchor: str
    heading: str
    said: str
    link: str  # relative, to the same as one picture
    figures: tuple[Figure, ...]


def page(title: str, remarks: Sequence[str], sections: Sequence[Section]) -> str:
    """Write it; what comes from outside is escaped."""
    said = "".join(f"<p>{html.escape(remark)}</p>\n" for remark in remarks)
    links = "\n".join(f'<a href="#{html.escape(s.anchor)}">{html.escape(s.heading)}</a>' for s in sections)
    body = "".join(map(_section, sections))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>{STYLE}</style>\n</head>\n'
        f"<body>\n<h1>{html.escape(title)}</h1>\n{said}<nav>{links}</nav>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    figures = "".join(map(_figure, section.figures))
    return (
        f'<section id="{html.escape(section.anchor)}">\n<h2>{html.escape(section.heading)}</h2>\n'
        f'<p>{html.escape(section.said)} <a href="{html.escape(section.link)}">As one picture</a></p>\n'
        f'<div class="cases">\n{figures}</div>\n</section>\n'
    )


def _figure(figure: Figure) -> str:
    width, height = figure.size
    first, *others = (html.escape(line) for line in figure.lines)
    caption = "<br>".join([f"<strong>{first}</strong>", *others])
    return (
        f'<figure><img width="{width}" height="{height}" loading="lazy" alt="{first}" '
        f'src="data:image/jpeg;base64,{base64.b64encode(figure.jpeg).decode()}">'
        f"<figcaption>{caption}</figcaption></figure>\n"
    )


STYLE = """
:root { color-scheme: light dark; --paper: #f6f7f9; --surface: #fff; --line: #dde2e8; --ink: #17202b;
  --soft: #4c5a6a; --accent: #0b6e75; }
@media (prefers-color-scheme: dark) { :root { --paper: #10161d; --surface: #182029; --line: #2b3641; --ink: #e8edf2;
  --soft: #b0bcc8; --accent: #5cc4c4; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; padding: 1rem; max-width: 120rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 "Inter", -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
h1, h2 { line-height: 1.2; letter-spacing: -0.012em; margin: 0 0 0.5em; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; }
h2 { font-size: 1.25rem; }
p { margin: 0 0 0.75rem; max-width: 70ch; color: var(--soft); overflow-wrap: anywhere; }
a { color: var(--accent); text-underline-offset: 0.18em; }
nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; padding: 0.75rem 0; border-block: 1px solid var(--line); }
nav a { padding: 0.25rem 0; }
section { padding-top: 1.5rem; }
.cases { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); }
figure { margin: 0; padding: 0.5rem; background: var(--surface); border: 1px solid var(--line); border-radius: 10px; }
img { display: block; width: 100%; height: auto; }
figcaption { padding: 0.5rem 0.25rem 0.25rem; font-size: 0.875rem; color: var(--soft); overflow-wrap: anywhere; }
figcaption strong { color: var(--ink); }
"""
