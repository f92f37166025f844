"""The ASGI application: routes, middleware, and the lifespan of the services."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from schema.runtime.access import Audience
from schema.runtime.kept_answers import KeptAnswers
from services.accounts.result_mail import unsubscription
from services.catalogue import style_picture
from services.gallery import archive
from services.services import Services
from web.account_page import change, reset, show_change, show_reset, show_sign_in, show_verification, sign_in, verify
from web.archive import send_archive
from web.client_address import ClientAddress
from web.connection_limit import ConnectionLimits
from web.cookie import SessionCookie
from web.development_checkout import pay, show_checkout
from web.documentation import BUILD as DOCUMENTATION
from web.documentation import Documentation
from web.graphiql import BUILD, GraphiQL
from web.graphql import GraphQLEndpoint
from web.health import Readiness, live, ready
from web.json_request import JsonFirst
from web.local_file import serve_file
from web.local_upload import receive_upload
from web.metrics import show_metrics
from web.openai_api.endpoint import OpenAIEndpoints, Patience
from web.origin import AllowedOrigins, Cors
from web.outage_response import OutageResponses
from web.public_address import PublicAddress
from web.repeated_request import RepeatedRequests
from web.request_log import RequestLog
from web.security_headers import SecurityHeaders
from web.shared_picture import send_media, send_poster, send_preview, send_thumbnail, show_not_found, show_page
from web.studio import BUILD as STUDIO_BUILD
from web.studio import Studio
from web.style_picture import send_shipped, send_style_picture
from web.unsubscribe_page import show_unsubscription, unsubscribe
from web.upload_slots import ReceivingLimits, UploadSlots
from web.webhook import MAX_BODY_BYTES, receive_openrouter, receive_polar

_GRAPHQL = "/graphql"
_Handler = Callable[[Request], Awaitable[Response]]


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
    is_development: bool = False  # pages of this machine may use the API, and its Host is trusted
    trusted_proxies: tuple[str, ...] = ()  # networks whose X-Forwarded-For is trusted
    metrics_token: str | None = None  # None: /metrics is served to localhost only
    init_seconds: float = 3.0  # until a socket without connection_init is closed with 4408
    socket_max_seconds: float = 0.0  # about how long a socket stays open; 0: any time
    health_seconds: float = 2.0  # timeout of each health check
    upload_seconds: float = 60.0  # base timeout of an upload, to which its maximum size adds
    connection_limits: ConnectionLimits = field(default_factory=ConnectionLimits.off)  # of sockets and streams
    receiving: ReceivingLimits = field(default_factory=ReceivingLimits)  # of uploads
    order_seconds: float = 90.0  # until OpenAI's API answers although the pictures are not made
    order_stream_seconds: float = 600.0  # until a stream of it ends; its clients wait as long for other answers
    heartbeat_seconds: float = 15.0  # between pings on an idle event stream; proxies close it after 30 or 60
    graphiql_files: Path = BUILD
    studio: bool = True  # whether the page for users is served at /
    studio_files: Path = STUDIO_BUILD
    documentation_files: Path = DOCUMENTATION
    compiles_operations: bool = True
    answers_json: bool = True  # without the framework's view, where it is not needed
    kept_answers_bytes: int = 16 * 2**20  # memory for answers of unchanged accounts; 0: none are kept


class Application(Starlette):
    """Starlette with the security headers outermost, so that they are also on its own 404, 405 and 500.

    `answers`: those that are kept, of which repeated requests are answered before all else.
    """

    def __init__(self, address: str, answers: KeptAnswers | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._address = address
        self._answers = answers

    def build_middleware_stack(self) -> ASGIApp:
        app = SecurityHeaders(super().build_middleware_stack(), self._address)
        return app if self._answers is None else RepeatedRequests(app, _GRAPHQL, self._answers)


async def home(request: Request) -> Response:
    """Redirect to GraphiQL."""
    return RedirectResponse("/graphql")


def _account_pages(cookie: SessionCookie, studio: Studio | None) -> list[Route]:
    """Return the routes of the pages behind mailed links, each a view of the studio where there is one."""
    pages: dict[str, tuple[_Handler, _Handler]] = {
        "/verify-email": (show_verification, partial(verify, cookie=cookie)),
        "/change-email": (show_change, partial(change, cookie=cookie)),
        "/sign-in": (show_sign_in, partial(sign_in, cookie=cookie)),
        "/reset-password": (show_reset, reset),
    }
    # The link that ends mails is the server's: mail programs send requests to it.
    routes = [
        Route(unsubscription.PATH, show_unsubscription, methods=["GET"]),
        Route(unsubscription.PATH, unsubscribe, methods=["POST"]),
    ]
    for address, (show, submit) in pages.items():
        view = show if studio is None else studio.instead_of(show)
        routes += [Route(address, view, methods=["GET"]), Route(address, submit, methods=["POST"])]
    return routes


def _studio(options: WebOptions, cookie: SessionCookie, documentation: Documentation) -> Studio | None:
    if not options.studio:
        return None
    return Studio(
        options.address,
        options.studio_files,
        cookie,
        graphiql=options.graphiql,
        documentation=documentation,
        is_development=options.is_development,
    )


def _pages(studio: Studio | None, graphiql: GraphiQL | None, endpoint: GraphQLEndpoint) -> list[Route]:
    """Return the routes of the pages that Vite builds."""
    routes = graphiql.routes(endpoint.get_context) if graphiql else []
    if studio is not None:
        return [*studio.routes(), *routes]
    return [Route("/", home), *routes] if graphiql else routes


def _middleware(
    options: WebOptions, routes: list[Route | WebSocketRoute], endpoint: GraphQLEndpoint
) -> list[Middleware]:
    middleware = [
        Middleware(RequestLog, [route.path for route in routes]),
        Middleware(ClientAddress, options.trusted_proxies),
        Middleware(Cors, endpoint.origins),
        Middleware(OutageResponses),
    ]
    if endpoint.json is not None:
        middleware.append(Middleware(JsonFirst, _GRAPHQL, endpoint.json))
    return middleware


def _origins(options: WebOptions) -> AllowedOrigins:
    own = urlsplit(options.address)
    return AllowedOrigins(f"{own.scheme}://{own.netloc}", options.cors_origins, loopback=options.is_development)


def _endpoint(
    options: WebOptions, graphiql: GraphiQL | None, origins: AllowedOrigins, cookie: SessionCookie, uploads: UploadSlots
) -> GraphQLEndpoint:
    return GraphQLEndpoint(
        graphiql=graphiql,
        introspection=options.introspection,
        origins=origins,
        public_address=PublicAddress(options.address, options.trusted_proxies, follows_loopback=options.is_development),
        init_seconds=options.init_seconds,
        socket_max_seconds=options.socket_max_seconds,
        heartbeat_seconds=options.heartbeat_seconds,
        cookie=cookie,
        connections=options.connection_limits,
        uploads=uploads,
        compiles_operations=options.compiles_operations,
        answers_json=options.answers_json,
        kept_answers_bytes=options.kept_answers_bytes,
    )


def _image_api(options: WebOptions, uploads: UploadSlots) -> OpenAIEndpoints:
    patience = Patience(options.order_seconds, options.order_stream_seconds, options.heartbeat_seconds)
    return OpenAIEndpoints(uploads, options.connection_limits, patience)


def create_app(open_services: Callable[[], AbstractAsyncContextManager[Services]], options: WebOptions) -> Starlette:
    """Return the application; `open_services` is entered when it starts and exited when it stops."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[State]:
        async with open_services() as services:
            yield {"services": services, "readiness": Readiness(services, options.health_seconds)}

    graphiql = None
    if options.graphiql is not Audience.NONE:
        graphiql = GraphiQL(options.graphiql, options.address, options.graphiql_files)
    origins = _origins(options)
    cookie = SessionCookie(options.address, origins)
    uploads = UploadSlots(options.receiving)
    endpoint = _endpoint(options, graphiql, origins, cookie, uploads)
    documentation = Documentation(options.documentation_files)
    studio = _studio(options, cookie, documentation)
    routes: list[Route | WebSocketRoute] = [
        Route(_GRAPHQL, endpoint),
        WebSocketRoute(_GRAPHQL, endpoint),
        Route("/files/{path:path}", serve_file),
        Route(
            "/uploads/{token}",
            partial(receive_upload, slots=uploads, base_timeout=options.upload_seconds),
            methods=["POST", "PUT"],
        ),
        Route("/s/{slug}", show_page),
        Route("/s/{slug}/picture", send_media),
        Route("/s/{slug}/video", send_media),
        Route("/s/{slug}/poster", send_poster),
        Route("/s/{slug}/thumbnail", send_thumbnail),
        Route("/s/{slug}/preview.jpg", send_preview),
        Route("/s/{rest:path}", show_not_found),
        Route(f"{style_picture.PATH}/{{name}}", send_style_picture),
        Route(f"{style_picture.PATH}/{{collection}}/{{name}}", send_shipped),
        Route(f"{archive.PATH}/{{token}}", send_archive),
        *_account_pages(cookie, studio),
        *documentation.routes(),
        *_image_api(options, uploads).routes(),
        Route("/checkout/{id}", show_checkout, methods=["GET"]),
        Route("/checkout/{id}", pay, methods=["POST"]),
        Route("/webhooks/polar", receive_polar, methods=["POST"], max_body_size=MAX_BODY_BYTES),
        Route("/webhooks/openrouter", receive_openrouter, methods=["POST"], max_body_size=MAX_BODY_BYTES),
        Route("/health/live", live),
        Route("/health", partial(ready, token=options.metrics_token)),
        Route("/health/ready", partial(ready, token=options.metrics_token)),
        Route("/metrics", partial(show_metrics, token=options.metrics_token)),
    ]
    routes += _pages(studio, graphiql, endpoint)
    middleware = _middleware(options, routes, endpoint)
    application = Application(
        options.address, endpoint.answers, routes=routes, middleware=middleware, lifespan=lifespan
    )
    application.router.redirect_slashes = False  # redirects would contain the request's unchecked Host header
    return application
