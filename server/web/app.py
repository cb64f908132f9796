"""Builds the web application: parts, middleware, routes, and the one handler that blames us."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server import views
from server.db import Database
from server.queue import Doorbell
from server.settings import Settings
from server.storage import Store
from server.sweeper import Sweeper
from server.web import api, pages, refusals
from server.web.changes import Changes
from server.web.freshness import Freshness
from server.web.limiter import Limiter
from server.web.press import Press
from server.web.rendering import STATIC, Pages
from server.web.security import BodyLimit, EarlyAnswer, PlainAddress, SecurityHeaders
from server.web.site import Clock, Site
from server.web.under_way import UnderWay

log = logging.getLogger(__name__)

GUESSES = 10  # wrong passwords for one account from one address within the window
ADDRESS_GUESSES = 200  # sign-ins from one address: a lecture hall shares one
REGISTRATIONS = 200  # from one address: likewise
WINDOW = timedelta(minutes=10)
RENAMINGS = 4  # of a team by itself within an hour
RENAMINGS_WINDOW = timedelta(hours=1)
STATIC_KEPT = "public, max-age=31536000, immutable"  # s; the address changes with the content


def utc_now() -> datetime:
    """The clock of a real server."""
    return datetime.now(UTC)


def create_app(settings: Settings, *, clock: Clock = utc_now) -> FastAPI:
    """Give the application. Its lifespan migrates the database and runs the sweeper."""
    site = build_site(settings, clock)
    app = FastAPI(
        title="MOOD challenge",
        summary="Hand in container images, watch them run, read the leaderboards.",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # both load scripts from elsewhere; /api describes the same document
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.site = site
    refusals.install(app)
    for router in (*api.ROUTERS, *pages.ROUTERS):
        app.include_router(router)
    app.mount("/static", KeptFiles(directory=STATIC), name="static")
    # The last one added is the outermost.
    app.add_middleware(PlainAddress)
    app.add_middleware(BodyLimit)
    app.add_middleware(BlameUs)
    app.add_middleware(EarlyAnswer)
    app.add_middleware(SecurityHeaders, https=site.is_https)
    return app


def build_site(settings: Settings, clock: Clock) -> Site:
    """Make the parts of a server; nothing runs yet."""
    key = settings.signing_key()
    db = Database(settings.database_url)
    store = Store(settings.store_dir)
    doorbell = Doorbell(settings.broker_url)
    templates = Pages(key)

    def poll() -> Mapping[str, object]:
        with db.read() as session:
            return views.marks(session)

    return Site(
        settings=settings,
        signing_key=key,
        db=db,
        store=store,
        doorbell=doorbell,
        sweeper=Sweeper(db, store, doorbell, clock, every_s=settings.sweep_every_s),
        changes=Changes(poll),
        pages=templates,
        press=Press(templates),
        freshness=Freshness(),
        guesses=Limiter(allowed=GUESSES, window=WINDOW),
        addresses=Limiter(allowed=ADDRESS_GUESSES, window=WINDOW),
        registrations=Limiter(allowed=REGISTRATIONS, window=WINDOW),
        renamings=Limiter(allowed=RENAMINGS, window=RENAMINGS_WINDOW),
        under_way=UnderWay(store.free_bytes),
        clock=clock,
    )


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Migrate, sweep, and at the end let go of everything."""
    site: Site = app.state.site
    await asyncio.to_thread(site.db.migrate)
    site.sweeper.start()
    try:
        yield
    finally:
        await site.changes.stop()
        await asyncio.to_thread(site.sweeper.stop)
        site.db.dispose()


class KeptFiles(StaticFiles):
    """Files that browsers may keep."""

    def file_response(self, *args: Any, **options: Any) -> Response:
        """Say so."""
        response = super().file_response(*args, **options)
        response.headers["cache-control"] = STATIC_KEPT
        return response


class BlameUs:
    """Answers 500 for whatever no route expected, and logs its traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; answer in the route's place where it could not."""
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched_send)
        except Exception:
            if scope["type"] != "http":
                raise
            log.exception("fault", extra={"method": scope["method"], "path": scope["path"]})
            if started:
                raise
            response = refusals.answer(Request(scope, receive), 500, *refusals.FAULT)
            await response(scope, receive, send)
