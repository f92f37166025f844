"""Every environment variable, typed. Only this module and the three that it joins declare them; no other reads them.

docs/configuration.md lists them all.
"""

import difflib
import os
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from generation_settings import GenerationSettings
from identity_settings import IdentitySettings
from secret_files import (
    IN_FILES,
    MIN_SECRET_KEY,
    SecretFileError,
    SecretFiles,
    generated_secret,
    generated_secret_problems,
)
from server_settings import ServerSettings
from setting_types import (
    Addresses,
    DatabaseAddress,
    Folder,
    Formats,
    MailServer,
    PostgresAddress,
    Products,
    Receivers,
    RedisAddress,
    Secrets,
    Sender,
    SessionPlace,
    SigningSecrets,
    SignupVerification,
    StoreAddress,
    TrustedDocuments,
    UploadMethod,
    WebAddress,
    problem_lines,
)

ROOT = Path(__file__).parent
PROFILES = ROOT / "profiles"
LOCALES = ROOT / "locales"
_SIMILAR = 0.88  # of 1: how alike names are of which one is taken for a misspelling of the other
_MAX_LINK_SECONDS = 7 * 24 * 3600  # the longest that S3 signs for


class SettingsError(Exception):
    """The settings are invalid; `problems` has one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(GenerationSettings, IdentitySettings, ServerSettings):
    """The deployment's configuration; docs/configuration.md repeats the descriptions."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", env_ignore_empty=True, frozen=True, allow_inf_nan=False
    )

    data_dir: Folder = Field(
        Path("data"), description="The folder of the SQLite file, local images and the generated secret key."
    )
    secret_key: str | None = Field(
        None, min_length=MIN_SECRET_KEY, description="Signs links to files; at least 32 characters."
    )
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
    session_days: int = Field(30, ge=1, le=365, description="How long a session lasts after its last use.")
    session_max_days: int = Field(
        365, ge=1, le=3650, description="How long a session lasts after its sign-in, however often it is used."
    )
    session_place: SessionPlace = Field(
        SessionPlace.NETWORK,
        description="What is kept of the client's address with a session: address, network (/24 of IPv4, /48 of IPv6) "
        "or nothing.",
    )

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
    archive_max_pictures: int = Field(
        500, ge=1, le=10_000, description="Pictures that one zip of a selection may have."
    )
    archive_max_mib: int = Field(2048, ge=1, le=1_048_576, description="MiB that one zip of a selection may have.")
    idempotency_key_days: int | None = Field(
        None, ge=1, le=36_500, description="How long idempotency keys are kept; a later repetition is a new request."
    )
    job_run_days: int = Field(30, ge=1, le=36_500, description="How long the runs of hourly jobs are kept.")
    expired_session_days: int = Field(0, ge=0, le=36_500, description="How long expired sessions are kept.")
    webhook_days: int | None = Field(
        None, ge=7, le=36_500, description="How long webhook events are kept that were handled or ignored."
    )
    parked_event_days: int | None = Field(
        None, ge=30, le=36_500, description="How long webhook events are kept that need review or failed."
    )
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
    result_mails_per_hour: int = Field(
        6, ge=0, le=1000, description="How many mails about results an account gets in an hour, where it wants them."
    )
    result_mail_seconds: float = Field(
        60.0, ge=0, le=3600, description="Seconds after a result within which a page may come back instead of the mail."
    )
    app_url: WebAddress | None = Field(
        None,
        description="The app's address for links in mails: /verify-email, /reset-password, /change-email and /sign-in.",
    )

    polar_access_token: str | None = Field(None, description="The access token of the Polar organization.")
    polar_base_url: WebAddress = Field(
        "https://api.polar.sh", description="The address of Polar's API; the sandbox has a different one."
    )
    polar_webhook_secret: Annotated[Secrets, NoDecode] = Field(
        (), description="The secret of the Polar webhook endpoint; two during a rotation."
    )
    webhook_urls: Annotated[Receivers, NoDecode] = Field(
        (), description="Addresses that the events of all accounts are sent to, signed with WEBHOOK_SECRET."
    )
    webhook_secret: Annotated[SigningSecrets, NoDecode] = Field(
        (), description="whsec_ and 24 to 64 bytes in base64; two during a rotation, of which both sign."
    )
    webhook_retry_seconds: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="When a webhook that failed is sent again; later pauses are three times longer.",
    )
    webhook_give_up_seconds: float = Field(
        86_400.0, ge=60, le=31_622_400, description="How long a webhook is retried, and an endpoint may fail."
    )
    webhook_delivery_days: int | None = Field(
        30, ge=1, le=36_500, description="How long webhooks are kept that were delivered or given up."
    )
    polar_products: Annotated[Products, NoDecode] = Field(
        (), description="slug=product id, for each package, plan and pass that is sold."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where values are looked for, in this order."""
        files = SecretFiles(settings_cls, env_settings, dotenv_settings)
        return init_settings, env_settings, dotenv_settings, files

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
        if not self.secret_key:
            problems += generated_secret_problems(self.data_dir)
        problems += self.provider_problems(is_production=self.is_production)
        problems += self.identity_problems(is_production=self.is_production)
        if self.polar_access_token and not self.polar_webhook_secret:
            problems.append("POLAR_WEBHOOK_SECRET is required with POLAR_ACCESS_TOKEN: payments arrive by webhook")
        if bool(self.webhook_urls) != bool(self.webhook_secret):
            problems.append("WEBHOOK_URLS and WEBHOOK_SECRET must be set together")
        if self.smtp_url and not self.mail_from:
            problems.append("MAIL_FROM is required with SMTP_URL: the sender of mails")
        if self.signup_verification is SignupVerification.REQUIRED and not self.has_mail:
            problems.append("SMTP_URL is required with SIGNUP_VERIFICATION=required: the link arrives by mail")
        if (self.trusted_documents is TrustedDocuments.OFF) is bool(self.trusted_documents_files):
            problems.append("TRUSTED_DOCUMENTS=on or only and TRUSTED_DOCUMENTS_FILES belong together")
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

    def secret(self) -> str:
        """Return SECRET_KEY, or a key that is generated once in DATA_DIR, readable by its owner only.

        Raises:
            SettingsError: the key cannot be written, or is none by now.
        """
        try:
            return self.secret_key or generated_secret(self.data_dir)
        except (OSError, ValueError) as error:
            raise SettingsError([f"DATA_DIR: {error}"]) from None


def load_settings(**given: object) -> Settings:
    """Read the environment, .env, and the files of secrets that they name.

    Raises:
        SettingsError: with one line per problem, each naming its variable.
    """
    try:
        return Settings(**given)  # type: ignore[arg-type]  # tests give fields by name
    except SecretFileError as error:
        raise SettingsError(error.problems) from None
    except UnicodeDecodeError:
        raise SettingsError([_env_file_problem(Path(str(given.get("_env_file", ".env"))))]) from None
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


def _env_file_problem(path: Path) -> str:
    """Return which line of a .env is not in UTF-8, without any of it."""
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            line.decode()
        except UnicodeDecodeError:
            return f"{path}: line {number} is not in UTF-8"
    return f"{path} is not in UTF-8"


def misspelt_settings() -> dict[str, str]:
    """Return the names in the environment and .env that are no setting, but nearly one: with the one that was meant."""
    known = [name.upper() for name in (*Settings.model_fields, *(f"{name}_file" for name in IN_FILES))]
    file = Path(".env")
    lines = file.read_text(errors="replace").splitlines() if file.is_file() else []
    in_file = (
        line.partition("=")[0].removeprefix("export ").strip() for line in lines if "=" in line and line[:1] != "#"
    )
    given = {name.upper() for name in (*os.environ, *in_file)} - set(known)
    found = {name: difflib.get_close_matches(name, known, n=1, cutoff=_SIMILAR) for name in sorted(given)}
    return {name: close[0] for name, close in found.items() if close}
