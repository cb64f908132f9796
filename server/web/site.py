"""What one running server is made of: its settings and the parts that routes call."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from server.db import Database
from server.queue import Doorbell
from server.settings import Settings
from server.storage import Store
from server.sweeper import Sweeper
from server.web.changes import Changes
from server.web.freshness import Freshness
from server.web.limiter import Limiter
from server.web.press import Press
from server.web.rendering import Pages
from server.web.under_way import UnderWay

Clock = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class Site:
    """Lives as long as the process, on `app.state.site`."""

    settings: Settings
    signing_key: str
    db: Database
    store: Store
    doorbell: Doorbell
    sweeper: Sweeper
    changes: Changes
    pages: Pages
    press: Press
    freshness: Freshness
    guesses: Limiter  # passwords tried for one account from one address
    addresses: Limiter  # passwords tried from one address
    registrations: Limiter  # from one address
    renamings: Limiter  # of one team: analyses are forgotten each time
    under_way: UnderWay  # uploads
    clock: Clock

    @property
    def is_https(self) -> bool:
        """Cookies then travel over https alone."""
        return self.settings.public_url.startswith("https://")
