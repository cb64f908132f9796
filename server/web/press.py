"""Prints reports: each once, one at a time, since a report takes many seconds of a processor."""

from collections.abc import Callable
from functools import cached_property
from threading import BoundedSemaphore, Lock

from server.errors import Conflict
from server.web import report
from server.web.drawings import drawer
from server.web.pdf import pdf
from server.web.rendering import Pages
from server.web.report import Source

KEPT = 4  # editions; a challenge has two, one a task
WAITING = 3  # readers who wait while another's is printed; a few threads must stay for everybody else
PATIENCE_S = 60.0

Key = tuple[str, ...]


class Edition:
    """One report in all its forms, each made when it is first asked for."""

    def __init__(self, source: Source, pages: Pages) -> None:
        self._source = source
        self._pages = pages
        self._draw = drawer(source.document.tables)

    @property
    def stem(self) -> str:
        """Of its files' names."""
        return f"{self._source.document.slug}-{self._source.document.task}-report"

    @cached_property
    def html(self) -> bytes:
        """One page that needs no other file."""
        return report.html(report.compose(self._source, self._draw), self._pages).encode()

    @cached_property
    def pdf(self) -> bytes:
        """The same on paper."""
        return pdf(self.html.decode())

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Page, PDF, every table as CSV and LaTeX, every figure as SVG."""
        own = {f"{self.stem}.html": self.html, f"{self.stem}.pdf": self.pdf}
        return own | report.files(self._source.document, self._draw)

    @cached_property
    def zip(self) -> bytes:
        """All files in one."""
        return report.archive(self.files, self.stem)


class Press:
    """Keeps the editions printed last."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._editions: dict[Key, Edition] = {}
        self._lock = Lock()
        self._places = BoundedSemaphore(WAITING)

    def print(self, source: Source, form: Callable[[Edition], bytes]) -> bytes:
        """Give a report in the form that is asked for. Raises Conflict where too many wait already."""
        if not self._places.acquire(blocking=False):
            raise Conflict("This report is being printed for others. Open it again in a minute.")
        try:
            if not self._lock.acquire(timeout=PATIENCE_S):
                raise Conflict("This report is still being printed. Open it again in a minute.")
            try:
                return form(self._edition(source))
            finally:
                self._lock.release()
        finally:
            self._places.release()

    def _edition(self, source: Source) -> Edition:
        document = source.document
        key = (
            document.slug,
            document.task,
            document.made_at.isoformat(),
            str(source.is_published),
            str(source.is_current),
        )
        if key not in self._editions:
            while len(self._editions) >= KEPT:
                del self._editions[next(iter(self._editions))]  # the oldest
            self._editions[key] = Edition(source, self._pages)
        return self._editions[key]
