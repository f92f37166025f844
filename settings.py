"""Every environment variable, typed. No other module reads the environment; docs/configuration.md lists them all."""

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from setting_types import (
    Access,
    Addresses,
    DatabaseAddress,
    Environment,
    Folder,
    Formats,
    HostNames,
    LogFormat,
    LogLevel,
    MailServer,
    Networks,
    Origins,
    PngResults,
    PostgresAddress,
    Products,
    Provider,
    RedisAddress,
    Secrets,
    Sender,
    SentryAddress,
    SignupVerification,
    StoreAddress,
    Switch,
    UploadMethod,
    WebAddress,
    generated_secret,
    is_placeholder,
    problem_lines,
)

ROOT = Path(__file__).parent
PROFILES = ROOT / "profiles"
LOCALES = ROOT / "locales"
_MAX_LINK_SECONDS = 7 * 24 * 3600  # the longest that S3 signs for


class SettingsError(Exception):
    """The settings are invalid; `problems` has one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(BaseSettings):
    """The deployment's configuration; docs/configuration.md repeats the descriptions."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", env_ignore_empty=True, frozen=True, allow_inf_nan=False
    )

    host: str = Field("127.0.0.1", description="The address that the server listens on.")
    port: int = Field(8000, ge=0, le=65535, description="The port that the server listens on.")
    public_url: WebAddress | None = Field(
        None, description="The server's address as clients reach it; links to files start with it."
    )
    data_dir: Folder = Field(
        Path("data"), description="The folder of the SQLite file, local images and the generated secret key."
    )
    secret_key: str | None = Field(None, min_length=32, description="Signs links to files; at least 32 characters.")
    environment: Environment = Field(Environment.DEVELOPMENT, description="development or production.")
    database_url: DatabaseAddress | None = Field(
        None, description="postgresql://user:password@host/name or sqlite:///path."
    )
    database_pool_size: int = Field(
        10, ge=1, le=1000, description="Maximum number of PostgreSQL connections per process."
    )
    database_group_size: int = Field(
        8, ge=1, le=100, description="Maximum number of requests whose reads share a PostgreSQL statement; 1: none do."
    )
    database_replica_url: PostgresAddress | None = Field(
        None, description="A streaming replica of DATABASE_URL, for lists and statistics as far as it is current."
    )
    redis_url: RedisAddress | None = Field(
        None, description="redis://, redis+cluster:// or redis+sentinel://...: wake-ups and events of all processes."
    )
    profile: str = Field("studio", pattern=r"^[a-z0-9-]+$", description="A file of profiles/, without .toml.")
    signup_credits: int | None = Field(None, ge=0, le=1_000_000, description="Credits of a new account.")
    admin_emails: Annotated[Addresses, NoDecode] = Field(
        (), description="Addresses whose accounts become ADMIN, once each, as soon as their owner is verified by mail."
    )
    signup_verification: SignupVerification = Field(
        SignupVerification.OPTIONAL,
        description="required: an account signs in only after its address is verified, and sign-up does not reveal "
        "whether an address has an account; or optional.",
    )
    session_days: int = Field(30, ge=1, le=365, description="How long a session lasts.")

    image_provider: Provider | None = Field(None, description="openrouter or demo.")
    openrouter_api_key: str | None = Field(None, description="The API key of the OpenRouter account.")
    openrouter_base_url: WebAddress = Field(
        "https://openrouter.ai/api/v1", description="The address of OpenRouter's API."
    )
    openrouter_model: str = Field("google/gemini-2.5-flash-image", description="The default model.")
    provider_image_hosts: Annotated[HostNames, NoDecode] = Field(
        (), description="Hosts from which a provider's image may be downloaded over https; none: links are refused."
    )
    demo_seconds: float = Field(2.0, ge=0, le=60, description="How long the demo provider takes; 0 for tests.")

    generation_deadline_seconds: float = Field(60.0, gt=0, description="Total time for the provider, retries included.")
    generation_lease_seconds: float = Field(
        60.0, gt=0, description="How long a worker's claim lasts without a heartbeat."
    )
    generation_sweep_seconds: float = Field(
        10.0, gt=0, description="How often workers poll for waiting generations and run the sweeper."
    )
    storage_patience_seconds: float = Field(
        120.0, ge=0, le=3600, description="How long a worker retries an unavailable storage before it gives up."
    )
    file_orphan_seconds: float = Field(
        900.0, gt=0, description="Age at which a PENDING file counts as orphaned and is removed."
    )
    worker_concurrency: int = Field(8, ge=1, le=256, description="Concurrent generations per worker process.")
    generation_user_concurrency: int = Field(
        4, ge=1, le=256, description="Concurrent generations per account, in all workers together; the rest wait."
    )
    stop_grace_seconds: float = Field(
        25.0, ge=0, le=3600, description="How long a stopping worker lets running generations finish."
    )
    image_processes: int = Field(
        2, ge=1, le=32, description="Child processes that decode uploads, and as many that decode results, per process."
    )
    image_max_megapixels: int = Field(
        120, ge=1, le=250, description="Maximum size of an image; other formats than JPEG have lower limits, too."
    )
    png_results: PngResults = Field(PngResults.WEBP, description="A model's PNG becomes webp, webp-lossless or png.")
    upload_max_bytes: int | None = Field(
        None, ge=1024, description="Maximum size of an uploaded image; default: the profile's."
    )
    upload_formats: Annotated[Formats | None, NoDecode] = Field(
        None, description="Accepted formats, of JPEG, PNG, WEBP, HEIC, AVIF; default: the profile's."
    )
    upload_seconds: int = Field(
        3600, ge=2, le=_MAX_LINK_SECONDS, description="How long a photo that was uploaded ahead can be used."
    )
    unused_photo_seconds: int = Field(
        86_400, ge=1, le=10**8, description="How long a generation that ended before its provider call keeps its photo."
    )
    data_export_seconds: int = Field(604_800, ge=86_400, le=31_622_400, description="How long a data export is kept.")
    file_url_seconds: int = Field(
        3600, ge=60, le=366 * 24 * 3600, description="Maximum lifetime of a signed link; the minimum is half of it."
    )

    s3_bucket: str | None = Field(
        None, pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="The bucket that stores images."
    )
    s3_endpoint_url: StoreAddress | None = Field(
        None, description="The address of an S3-compatible store other than AWS."
    )
    s3_region: str = Field("us-east-1", pattern=r"^[a-z0-9-]+$", description="The region that requests are signed for.")
    s3_prefix: str = Field(
        "darkroom", pattern=r"^[a-z0-9_-]{1,60}(/[a-z0-9_-]{1,60})*$", description="The prefix of keys in the bucket."
    )
    s3_public_url: StoreAddress | None = Field(
        None, description="The store's address as clients reach it; links are signed for it."
    )
    s3_upload_method: UploadMethod | None = Field(
        None, description="How clients send photos ahead: post (a form) or put; `main.py check` tries both."
    )
    aws_access_key_id: str | None = Field(None, description="The id of an access key for the bucket.")
    aws_secret_access_key: str | None = Field(None, description="The secret of that access key.")
    aws_session_token: str | None = Field(None, description="The session token of a temporary access key.")

    smtp_url: MailServer | None = Field(
        None, description="The mail server: smtp://, smtp+starttls:// or smtps:// user:password@host:port."
    )
    mail_from: Sender | None = Field(None, description="The sender of mails: an address, or Name <address>.")
    app_url: WebAddress | None = Field(
        None, description="The app's address for links in mails: /verify-email, /reset-password and /change-email."
    )

    polar_access_token: str | None = Field(None, description="The access token of the Polar organization.")
    polar_base_url: WebAddress = Field(
        "https://api.polar.sh", description="The address of Polar's API; the sandbox has a different one."
    )
    polar_webhook_secret: Annotated[Secrets, NoDecode] = Field(
        (), description="The secret of the Polar webhook endpoint; two during a rotation."
    )
    polar_products: Annotated[Products, NoDecode] = Field(
        (), description="slug=product id, for each package, plan and pass that is sold."
    )

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
        5.0, gt=0, le=3600, description="How long a connection may be idle between two requests."
    )

    cors_origins: Annotated[Origins, NoDecode] = Field(
        (), description="Browser origins that may send requests, also over WebSockets."
    )
    graphiql: Access | None = Field(None, description="Who may use GraphiQL at /graphql: on, admins or off.")
    introspection: Access | None = Field(None, description="Who may query the schema: on, admins or off.")
    subscription_reread_seconds: float = Field(
        5.0, gt=0, description="Seconds without a message after which a subscription reads the database again."
    )
    json_fast_path: Switch = Field(Switch.ON, description="Whether JSON requests skip the web framework's view.")
    kept_answers_mib: int = Field(16, ge=0, le=4096, description="Memory for answers of unchanged accounts; 0: off.")
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

    @field_validator("profile")
    @classmethod
    def _existing_profile(cls, value: str) -> str:
        if not (PROFILES / f"{value}.toml").is_file():
            names = ", ".join(sorted(path.stem for path in PROFILES.glob("*.toml")))
            raise ValueError(f"there is no profiles/{value}.toml (available: {names})")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        problems = []
        if self.is_production and not self.secret_key:
            problems.append("SECRET_KEY is required in production: `openssl rand -hex 32` generates one")
        if self.image_provider is Provider.OPENROUTER and not self.has_openrouter_key:
            problems.append("OPENROUTER_API_KEY is required when IMAGE_PROVIDER is openrouter")
        if self.is_production and self.image_provider is None and not self.has_openrouter_key:
            problems.append(
                "OPENROUTER_API_KEY is missing (or a placeholder); set IMAGE_PROVIDER=demo to run without it"
            )
        if self.polar_access_token and not self.polar_webhook_secret:
            problems.append("POLAR_WEBHOOK_SECRET is required with POLAR_ACCESS_TOKEN: payments arrive by webhook")
        if self.smtp_url and not self.mail_from:
            problems.append("MAIL_FROM is required with SMTP_URL: the sender of mails")
        if self.signup_verification is SignupVerification.REQUIRED and not self.has_mail:
            problems.append("SMTP_URL is required with SIGNUP_VERIFICATION=required: the link arrives by mail")
        if self.database_replica_url and not (self.database_url or "").startswith("postgres"):
            problems.append("DATABASE_REPLICA_URL requires a DATABASE_URL of PostgreSQL")
        problems += self._storage_problems()
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _storage_problems(self) -> list[str]:
        problems = []
        if self.s3_bucket is None:
            unused = {"S3_ENDPOINT_URL": self.s3_endpoint_url, "S3_PUBLIC_URL": self.s3_public_url}
            problems += [f"{name} is set, but S3_BUCKET is not" for name, value in unused.items() if value]
        elif self.file_url_seconds > _MAX_LINK_SECONDS:
            problems.append(f"FILE_URL_SECONDS is at most {_MAX_LINK_SECONDS} with S3_BUCKET")
        if bool(self.aws_access_key_id) != bool(self.aws_secret_access_key):
            problems.append("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set together")
        elif self.aws_session_token and not self.aws_access_key_id:
            problems.append("AWS_SESSION_TOKEN is set, but AWS_ACCESS_KEY_ID is not")
        return problems

    @property
    def is_production(self) -> bool:
        return self.environment is Environment.PRODUCTION

    @property
    def has_openrouter_key(self) -> bool:
        """Whether OPENROUTER_API_KEY is a real key, not a placeholder from an example file."""
        return not is_placeholder(self.openrouter_api_key or "")

    @property
    def provider(self) -> Provider:
        return self.image_provider or (Provider.OPENROUTER if self.has_openrouter_key else Provider.DEMO)

    @property
    def database(self) -> str:
        """DATABASE_URL, or the SQLite file in DATA_DIR."""
        return self.database_url or f"sqlite://{self.data_dir.absolute()}/darkroom.sqlite3"

    @property
    def upload_method(self) -> UploadMethod:
        """S3_UPLOAD_METHOD, or what the store is known to take: Cloudflare R2 has no POST forms."""
        host = urlsplit(self.s3_endpoint_url or "").hostname or ""
        is_r2 = host.endswith(".r2.cloudflarestorage.com")
        return self.s3_upload_method or (UploadMethod.PUT if is_r2 else UploadMethod.POST)

    @property
    def has_development_checkout(self) -> bool:
        """Whether checkouts are simulated by a page of this server: without POLAR_ACCESS_TOKEN, never in production."""
        return self.polar_access_token is None and not self.is_production

    @property
    def has_payments(self) -> bool:
        """Whether anything can be bought, by Polar or by the development checkout."""
        return self.polar_access_token is not None or not self.is_production

    @property
    def has_mail(self) -> bool:
        """Whether mails are sent, or in development printed to the log."""
        return self.smtp_url is not None or not self.is_production

    @property
    def mail_summary(self) -> str:
        """Where mails go, for the output of `check`."""
        if self.smtp_url is not None:
            return self.smtp_url.split("@")[-1]
        if self.is_production:
            return "SMTP_URL is not set: addresses cannot be verified, passwords cannot be reset"
        return "printed to the log"

    @property
    def app_address(self) -> str:
        """APP_URL, or this server's own pages."""
        return self.app_url or self.address

    @property
    def address(self) -> str:
        """PUBLIC_URL, or a URL made of HOST and PORT."""
        host = "localhost" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compared, not bound
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def heartbeat_seconds(self) -> float:
        """Interval at which a worker renews its lease: four attempts before it expires."""
        return self.generation_lease_seconds / 4

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

    def secret(self) -> str:
        """Return SECRET_KEY, or a key that is generated once in DATA_DIR, readable by its owner only."""
        return self.secret_key or generated_secret(self.data_dir)


def load_settings(**given: object) -> Settings:
    """Read the environment and .env.

    Raises:
        SettingsError: with one line per problem, each naming its variable.
    """
    try:
        return Settings(**given)  # type: ignore[arg-type]  # tests give fields by name
    except ValidationError as error:
        problems = problem_lines(error)
        # Pydantic checks the whole only if every field is valid: validate again with the invalid fields left out.
        invalid = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        defaults = {name: Settings.model_fields[name].default for name in invalid & Settings.model_fields.keys()}
        if defaults:
            try:
                Settings(**{**given, **defaults})
            except ValidationError as more:
                problems += problem_lines(more)
        raise SettingsError(problems) from error
