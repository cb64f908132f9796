"""A real Chromium on the real server: pages of visitors, teams and organizers."""

import contextlib
from collections.abc import Iterator
from typing import Literal

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, sync_playwright

from server import accounts
from server.models import Account
from server.web.deps import SESSION_COOKIE
from tests.server.web.real_server import RealServer

# Without these Chromium looks for hosts of its own at every start.
ARGUMENTS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
PHONE = 390  # pixels

Who = Literal["team", "organizer", "visitor"]


class Windows:
    """Opens pages; what their consoles complain of is collected."""

    def __init__(self, chromium: Chromium, server: RealServer) -> None:
        self.complaints: list[str] = []
        self._chromium = chromium
        self._server = server
        self._organizer: str | None = None

    def __call__(self, *, javascript: bool = True, width: int = 1280, who: Who = "team") -> Page:
        """Open an empty page, signed in."""
        url = f"http://127.0.0.1:{self._server.port}"
        context = self._chromium.new_context(
            base_url=url, java_script_enabled=javascript, viewport={"width": width, "height": 800}
        )
        if who != "visitor":
            context.add_cookies([{"name": SESSION_COOKIE, "value": self._session(who), "url": url}])
        page = context.new_page()
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def _session(self, who: Who) -> str:
        world = self._server.world
        if who == "organizer" and self._organizer is None:
            self._organizer = world.organizer()
        account = world.team() if who == "team" else self._organizer
        with world.db.write() as session:
            return accounts.log_in(session, session.get_one(Account, account), world.now)


@contextlib.contextmanager
def windows(server: RealServer) -> Iterator[Windows]:
    """Start Chromium; a complaint on a console, such as a broken content policy, fails the test at the end."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        found = Windows(chromium, server)
        yield found
        chromium.close()
    # Chromium notes refused requests there too; those a test asks for.
    assert [text for text in found.complaints if not text.startswith("Failed to load resource")] == []
