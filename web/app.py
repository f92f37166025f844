"""The ASGI application: routes, middleware, and the lifespan of the services."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from schema.runtime.access import Audience
from services.services import Services
from web.account_page import change, reset, show_change, show_reset, show_verification, verify
from web.client_address import ClientAddress
from web.connection_limit import ConnectionLimits
from web.cookie import SessionCookie
from web.development_checkout import pay, show_checkout
from web.graphiql import BUILD, GraphiQL
from web.graphql import GraphQLEndpoint
from web.health import Readiness, live, ready
from web.json_request import JsonFirst
from web.local_file import serve_file
from web.local_upload import receive_upload
from web.metrics import show_metrics
from web.request_log import RequestLog
from web.security_headers import SecurityHeaders
from web.shared_picture import send_picture, send_preview, send_thumbnail, show_not_found, show_page
from web.upload_slots import ReceivingLimits, UploadSlots
from web.webhook import MAX_BODY_BYTES, receive_polar


class State(TypedDict):
    """State that the lifespan passes to every request."""

    services: Services
    readiness: Readiness


@dataclass(frozen=True)
class WebOptions:
    """Settings of the web layer."""

    graphiql: Audience
    introspection: Audience
    address: str  # PUBLIC_URL; with https, cookies are Secure
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()  # networks whose X-Forwarded-For is trusted
    metrics_token: str | None = None  # None: /metrics is served to localhost only
    init_seconds: float = 3.0  # until a socket without connection_init is closed with 4408
    health_seconds: float = 2.0  # timeout of each health check
    upload_seconds: float = 60.0  # base timeout of an upload, to which its maximum size adds
    connection_limits: ConnectionLimits = field(default_factory=ConnectionLimits.off)  # of sockets and streams
    receiving: ReceivingLimits = field(default_factory=ReceivingLimits)  # of uploads
    heartbeat_seconds: float = 15.0  # between pings on an idle event stream; proxies close it after 30 or 60
    graphiql_files: Path = BUILD
    compiles_operations: bool = True
    answers_json: bool = True  # without the framework's view, where it is not needed
    kept_answers_bytes: int = 16 * 2**20  # memory for answers of unchanged accounts; 0: none are kept


class Application(Starlette):
    """Starlette with the security headers outermost, so that they are also on its own 404, 405 and 500."""

    def __init__(self, address: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._address = address

    def build_middleware_stack(self) -> ASGIApp:
        return SecurityHeaders(super().build_middleware_stack(), self._address)


async def home(request: Request) -> Response:
    """Redirect to GraphiQL."""
    return RedirectResponse("/graphql")


def _account_pages(cookie: SessionCookie) -> list[Route]:
    """Return the routes of the pages behind mailed links."""
    return [
        Route("/verify-email", show_verification, methods=["GET"]),
        Route("/verify-email", partial(verify, cookie=cookie), methods=["POST"]),
        Route("/change-email", show_change, methods=["GET"]),
        Route("/change-email", partial(change, cookie=cookie), methods=["POST"]),
        Route("/reset-password", show_reset, methods=["GET"]),
        Route("/reset-password", reset, methods=["POST"]),
    ]


def _middleware(
    options: WebOptions, routes: list[Route | WebSocketRoute], endpoint: GraphQLEndpoint
) -> list[Middleware]:
    middleware = [
        Middleware(RequestLog, [route.path for route in routes]),
        Middleware(ClientAddress, options.trusted_proxies),
    ]
    if options.cors_origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(options.cors_origins),
                allow_methods=["*"],
                allow_headers=["*"],
                allow_credentials="*" not in options.cors_origins,  # cookies only for explicitly listed origins
            )
        )
    if endpoint.json is not None:
        middleware.append(Middleware(JsonFirst, "/graphql", endpoint.json))
    return middleware


def create_app(open_services: Callable[[], AbstractAsyncContextManager[Services]], options: WebOptions) -> Starlette:
    """Return the application; `open_services` is entered when it starts and exited when it stops."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        async with open_services() as services:
            yield {"services": services, "readiness": Readiness(services, options.health_seconds)}

    graphiql = None
    if options.graphiql is not Audience.NONE:
        graphiql = GraphiQL(options.graphiql, options.address, options.graphiql_files)
    cookie = SessionCookie(options.address, options.cors_origins)
    uploads = UploadSlots(options.receiving)
    endpoint = GraphQLEndpoint(
        graphiql=graphiql,
        introspection=options.introspection,
        allowed_origins=options.cors_origins,
        init_seconds=options.init_seconds,
        heartbeat_seconds=options.heartbeat_seconds,
        cookie=cookie,
        connections=options.connection_limits,
        uploads=uploads,
        compiles_operations=options.compiles_operations,
        answers_json=options.answers_json,
        kept_answers_bytes=options.kept_answers_bytes,
    )
    routes: list[Route | WebSocketRoute] = [
        Route("/graphql", endpoint),
        WebSocketRoute("/graphql", endpoint),
        Route("/files/{token}", serve_file),
        Route(
            "/uploads/{token}",
            partial(receive_upload, slots=uploads, base_timeout=options.upload_seconds),
            methods=["POST", "PUT"],
        ),
        Route("/s/{slug}", show_page),
        Route("/s/{slug}/picture", send_picture),
        Route("/s/{slug}/thumbnail", send_thumbnail),
        Route("/s/{slug}/preview.jpg", send_preview),
        Route("/s/{rest:path}", show_not_found),
        *_account_pages(cookie),
        Route("/checkout/{id}", show_checkout, methods=["GET"]),
        Route("/checkout/{id}", pay, methods=["POST"]),
        Route("/webhooks/polar", receive_polar, methods=["POST"], max_body_size=MAX_BODY_BYTES),
        Route("/health/live", live),
        Route("/health/ready", ready),
        Route("/metrics", partial(show_metrics, token=options.metrics_token)),
    ]
    if graphiql:
        routes += [Route("/", home), *graphiql.routes(endpoint.get_context)]
    application = Application(
        options.address, routes=routes, middleware=_middleware(options, routes, endpoint), lifespan=lifespan
    )
    application.router.redirect_slashes = False  # redirects would contain the request's unchecked Host header
    return application
