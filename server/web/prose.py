"""An organizer's rules as HTML: headings, lists, bold, code and links of Markdown, everything else as text."""

import re

from markupsafe import Markup, escape

INLINE = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"\[([^\]]+)\]\((https?://[^\s)]+)\)"), r'<a href="\2" rel="noopener">\1</a>'),
)
ITEM = re.compile(r"^[-*]\s+(.*)$")
NUMBERED = re.compile(r"^\d+[.)]\s+(.*)$")
HEADING = re.compile(r"^(#{1,4})\s+(.*)$")


def to_html(text: str) -> Markup:
    """Give safe HTML. Headings start at h3: a page has one h1 and sections of its own."""
    return Markup("\n").join(block(lines) for lines in blocks(text))


def blocks(text: str) -> list[list[str]]:
    """Split at empty lines, headings, and where a list begins or ends."""
    found: list[list[str]] = []
    kind = ""
    for raw in text.splitlines():
        line = raw.strip()
        was, kind = kind, kind_of(line, kind)
        if not line:
            continue
        if kind != was or kind == "heading" or not found:
            found.append([])
        found[-1].append(line)
    return found


def kind_of(line: str, before: str) -> str:
    """What a line belongs to; a plain line after an item goes on with it."""
    if not line:
        return ""
    if HEADING.match(line):
        return "heading"
    if ITEM.match(line):
        return "ul"
    if NUMBERED.match(line):
        return "ol"
    return before if before in {"ul", "ol", "text"} else "text"


def block(lines: list[str]) -> Markup:
    """Give one paragraph, heading or list."""
    heading = HEADING.match(lines[0])
    if heading:
        level = min(6, len(heading[1]) + 2)
        return Markup("<h{0}>{1}</h{0}>").format(level, inline(heading[2]))
    for tag, pattern in (("ul", ITEM), ("ol", NUMBERED)):
        if pattern.match(lines[0]):
            items = Markup("").join(Markup("<li>{}</li>").format(inline(item)) for item in items_of(lines, pattern))
            return Markup("<{0}>{1}</{0}>").format(tag, items)
    return Markup("<p>{}</p>").format(inline(" ".join(lines)))


def items_of(lines: list[str], pattern: re.Pattern[str]) -> list[str]:
    """Join an item's further lines to it."""
    items: list[str] = []
    for line in lines:
        item = pattern.match(line)
        if item:
            items.append(item[1])
        else:
            items[-1] += f" {line}"
    return items


def inline(text: str) -> Markup:
    """Escape first; what is marked up then is ours."""
    html = str(escape(text))
    for pattern, markup in INLINE:
        html = pattern.sub(markup, html)
    return Markup(html)  # noqa: S704  escaped above
