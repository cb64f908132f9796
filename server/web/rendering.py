"""Pages from templates: the environment, and how times, sizes and scores are written."""

import hashlib
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from server.web import prose, security

if TYPE_CHECKING:
    from server.web.deps import Person

HERE = Path(__file__).parent
STATIC = HERE / "static"
UNKNOWN = "–"
SITE_TITLE = "MOOD"
TONES = {  # a badge's colour; its text says the same
    "checking": "busy",
    "queued": "idle",
    "preparing": "busy",
    "predicting": "busy",
    "running": "busy",
    "scoring": "busy",
    "scored": "good",
    "failed": "bad",
    "refused": "bad",
    "cancelled": "warn",
    "before": "idle",
    "open": "good",
    "closed": "warn",
}


class Pages:
    """Renders templates; values are escaped unless they are Markup."""

    def __init__(self, signing_key: str) -> None:
        self._signing_key = signing_key
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "when": when,
            "day": day,
            "iso": iso,
            "duration": duration,
            "size": size,
            "number": number,
            "score": score,
            "tone": tone,
            "sentence": sentence,
            "prose": prose.to_html,
            "inline": prose.inline,
        }
        self._environment.globals["asset"] = asset_address

    def render(
        self,
        request: Request,
        template: str,
        *,
        person: "Person | None" = None,
        status: int = 200,
        **values: Any,
    ) -> HTMLResponse:
        """Give a whole page."""
        shared = {"path": request.url.path, "now": request.app.state.site.clock(), "site_title": SITE_TITLE}
        return HTMLResponse(self.part(template, person, **shared, **values), status)

    def part(self, template: str, person: "Person | None", **values: Any) -> Markup:
        """Give a piece of a page for a person, by the same templates."""
        found = self._environment.get_template(template)
        # Escaped by the environment: what templates print is safe to put into another one.
        return Markup(found.render(person=person, form_token=self.form_token(person), **values))  # noqa: S704  as said above

    def form_token(self, person: "Person | None") -> str:
        """What this person's forms carry."""
        return security.form_token(self._signing_key, person.session) if person and person.session else ""


def asset_address(name: str) -> str:
    """Where a static file is; changes with its content, so that browsers may keep it."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


def when(at: datetime | None) -> Markup | str:
    """Write an instant, to the minute, in UTC."""
    if at is None:
        return UNKNOWN
    at = at.astimezone(UTC)
    text = f"{at.day} {at:%b %Y, %H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(iso(at), text)


def day(at: datetime) -> Markup:
    """Write a date."""
    at = at.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(iso(at), f"{at.day} {at:%B %Y}")


def iso(at: datetime) -> str:
    """Write an instant for programs."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def duration(seconds: float | None) -> str:
    """Write a length of time in the two units that matter: 3 min 05 s."""
    if seconds is None:
        return UNKNOWN
    if seconds < 10:  # noqa: PLR2004  below ten seconds the tenth is worth reading
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole >= 3600:  # noqa: PLR2004  seconds in an hour
        return f"{whole // 3600} h {whole // 60 % 60:02d} min"
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"  # noqa: PLR2004  as above


def size(count_bytes: float | None) -> str:
    """Write a number of bytes in units of 1000."""
    if count_bytes is None:
        return UNKNOWN
    value, unit = float(count_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:  # noqa: PLR2004  the step between units
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}" if unit != "B" and value < 100 else f"{value:.0f} {unit}"  # noqa: PLR2004  three digits suffice


def number(value: float | None, digits: int = 3) -> str:
    """Write a score; what is undefined is n/a."""
    if value is None or not math.isfinite(value):
        return "n/a"
    return f"{value:.{digits}f}"


def score(value: float | None) -> str:
    """Write a single score as it came: enough digits to tell it from its neighbours."""
    return "n/a" if value is None else f"{value:.5g}"


def sentence(text: str) -> str:
    """Begin with a capital and end with a stop; a name or an address at the start stays as it is."""
    first = text.partition(" ")[0]
    begun = text[:1].upper() + text[1:] if first.isalpha() else text
    return begun if begun.endswith((".", "!", "?", "`")) else f"{begun}."


def tone(status: str) -> str:
    """Give the badge class of a state."""
    return TONES.get(status, "idle")
