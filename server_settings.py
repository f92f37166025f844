"""Settings of the server: its address, its limits, what it shows, and where it reports."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, NoDecode

from setting_types import (
    Access,
    Environment,
    FileNames,
    LogFormat,
    LogLevel,
    Networks,
    Origins,
    SentryAddress,
    Switch,
    TrustedDocuments,
    WebAddress,
)


class ServerSettings(BaseSettings):
    """The part of Settings about the server itself."""

    host: str = Field("127.0.0.1", description="The address that the server listens on.")
    port: int = Field(8000, ge=0, le=65535, description="The port that the server listens on.")
    public_url: WebAddress | None = Field(
        None, description="The server's address as clients reach it; links to files start with it."
    )
    environment: Environment = Field(Environment.DEVELOPMENT, description="development or production.")
    compiled_operations: Switch = Field(Switch.ON, description="off: graphql-core executes all operations.")
    rate_limits: Switch = Field(Switch.ON, description="Whether rate limits apply; off for load tests.")
    rate_limit_generations_per_minute: int | None = Field(
        None, ge=0, le=1_000_000, description="Images that an account may request per minute; 0: unlimited."
    )
    rate_limit_refused_pictures: int | None = Field(
        None,
        ge=0,
        le=1_000_000,
        description="Refused pictures of an account in 15 minutes, after which it waits; 0: unlimited.",
    )
    max_sockets_per_client: int = Field(
        100,
        ge=0,
        le=1_000_000,
        description="Open WebSockets and event streams of one client address, per process; 0: unlimited.",
    )
    socket_max_seconds: float = Field(
        0.0,
        ge=0,
        le=31_622_400,
        description="About how long a WebSocket stays open before its client has to connect again; 0: any time.",
    )
    order_seconds: float = Field(
        90.0,
        gt=0,
        le=600,
        description="How long a request to /v1 waits for its pictures; shorter than the timeouts of proxies.",
    )
    trusted_proxies: Annotated[Networks, NoDecode] = Field(
        (), description="Networks of the proxies whose X-Forwarded-For is trusted."
    )
    max_connections: int = Field(
        10_000, ge=16, le=1_000_000, description="Open connections per process; fewer if RLIMIT_NOFILE is too low."
    )
    max_connections_per_client: int = Field(
        256, ge=1, le=1_000_000, description="Open connections from one client address; trusted proxies are exempt."
    )
    keep_alive_seconds: float = Field(
        75.0, gt=0, le=3600, description="How long a connection may be idle between two requests."
    )

    cors_origins: Annotated[Origins, NoDecode] = Field(
        (),
        description="Browser origins that may send requests and open WebSockets; in development also this machine's.",
    )
    graphiql: Access | None = Field(None, description="Who may use GraphiQL at /graphql: on, admins or off.")
    studio: Switch = Field(Switch.ON, description="Whether the page for users is served at /.")
    introspection: Access | None = Field(None, description="Who may query the schema: on, admins or off.")
    subscription_reread_seconds: float = Field(
        5.0, gt=0, description="Seconds without a message after which a subscription reads the database again."
    )
    json_fast_path: Switch = Field(Switch.ON, description="Whether JSON requests skip the web framework's view.")
    kept_answers_mib: int = Field(16, ge=0, le=4096, description="Memory for answers of unchanged accounts; 0: off.")
    persisted_operations_mib: int = Field(
        8, ge=0, le=1024, description="Memory for documents that clients register by their hash; 0: none can be."
    )
    trusted_documents: TrustedDocuments = Field(
        TrustedDocuments.OFF, description="on: clients may name those; only: in production, no others are executed."
    )
    trusted_documents_files: Annotated[FileNames, NoDecode] = Field(
        (),
        description="Manifests of trusted documents, as code generators of clients write them.",
    )
    metrics_token: str | None = Field(
        None, min_length=16, description="The Bearer token that /metrics requires; at least 16 characters."
    )
    worker_metrics_port: int | None = Field(
        None, ge=1, le=65535, description="The port on which a worker serves its own /metrics, on HOST."
    )
    otel_exporter_otlp_endpoint: WebAddress | None = Field(
        None, description="The collector that traces are sent to, as OTLP over HTTP."
    )
    sentry_dsn: SentryAddress | None = Field(None, description="The Sentry project that crashes are reported to.")
    log_format: LogFormat | None = Field(None, description="console or json.")
    log_level: LogLevel = Field(LogLevel.INFO, description="debug, info, warning or error.")

    @property
    def is_production(self) -> bool:
        return self.environment is Environment.PRODUCTION

    @property
    def listens_everywhere(self) -> bool:
        """Whether other machines can reach the server, by addresses that it does not know."""
        return self.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound

    @property
    def address(self) -> str:
        """PUBLIC_URL, or a URL made of HOST and PORT: of this machine, if the server listens on all its addresses."""
        host = "localhost" if self.listens_everywhere else self.host
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def graphiql_access(self) -> Access:
        return self.graphiql or (Access.ADMINS if self.is_production else Access.ON)

    @property
    def introspection_access(self) -> Access:
        """INTROSPECTION, or the same as GRAPHIQL, which introspects the schema."""
        return self.introspection or self.graphiql_access

    @property
    def logs_json(self) -> bool:
        return (self.log_format is LogFormat.JSON) if self.log_format else self.is_production
