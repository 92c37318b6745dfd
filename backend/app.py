"""The HTTP application: its routers, its error rendering, its headers."""

from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from backend.accounts import routes as accounts
from backend.alerts import routes as alert_routes
from backend.core import health
from backend.core.clock import Clock, utc_now
from backend.core.database import connect, database_url, session_maker
from backend.core.settings import Settings
from backend.core.web import SecurityHeaders, UnpackGzip, add_error_rendering
from backend.dashboard import (
    contact_tasks,
    hand_over_pages,
    hand_over_routes,
    profile_pages,
    profile_routes,
    snoozing,
    treatment_pages,
    treatment_routes,
)
from backend.dashboard import pages as dashboard_pages
from backend.dashboard import routes as dashboard
from backend.dashboard.error_pages import add_error_pages
from backend.interchange import pages as interchange_pages
from backend.interchange import routes as interchange
from backend.operations import pages as operations_pages
from backend.operations import routes as operations
from backend.research import pages as research_pages
from backend.research import routes as research
from backend.sharing import pages as sharing_pages
from backend.sharing import routes as sharing
from backend.sync import routes as sync


def build_app(settings: Settings | None = None, *, clock: Clock = utc_now) -> FastAPI:
    """Raises StartRefused when the configuration is not safe to serve with."""
    settings = settings or Settings()
    settings.refuse_default_secret()
    app = FastAPI(title="Soom", version="0.1.0", docs_url=None, redoc_url=None, openapi_url="/v1/openapi.json")
    app.state.settings = settings
    app.state.clock = clock
    app.state.engine = connect(database_url(settings), pool_size=settings.pool_size)
    app.state.new_session = session_maker(app.state.engine)
    add_error_rendering(app)
    add_error_pages(app)
    app.add_middleware(GZipMiddleware, minimum_size=800)
    app.add_middleware(UnpackGzip)
    app.add_middleware(SecurityHeaders)
    app.include_router(health.router)
    app.include_router(accounts.router)
    app.include_router(sync.router)
    app.include_router(interchange.router)
    app.include_router(interchange_pages.router)
    app.include_router(sharing.router)
    app.include_router(dashboard.router)
    app.include_router(treatment_routes.router)
    app.include_router(hand_over_routes.router)
    app.include_router(profile_routes.router)
    app.include_router(snoozing.router)
    app.include_router(snoozing.pages)
    app.include_router(contact_tasks.router)
    app.include_router(contact_tasks.pages)
    app.include_router(alert_routes.router)
    app.include_router(operations.router)
    app.include_router(operations_pages.router)
    app.include_router(research.router)
    app.include_router(research_pages.router)
    app.include_router(dashboard_pages.router)
    app.include_router(hand_over_pages.router)
    app.include_router(profile_pages.router)
    app.include_router(treatment_pages.router)
    app.include_router(sharing_pages.router)
    app.mount("/static", dashboard_pages.static_files(), name="static")
    return app
