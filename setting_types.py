"""The types of settings: enums, and strings that are validated at startup."""

import base64
import re
from collections.abc import Callable
from email.utils import parseaddr
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BeforeValidator, ValidationError

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+")
_STORE = re.compile(rf"{_ORIGIN.pattern}(/[A-Za-z0-9._~/-]*)?")
_FORMATS = {"JPEG", "PNG", "WEBP", "HEIC", "AVIF"}
# Parts of example values that are left in place of a key; such a key counts as unset.
_PLACEHOLDERS = ("your", "changeme", "change-me", "placeholder", "example", "xxx", "<", "...", "todo", "sk-or-v1-...")

# An access token of Hugging Face: random letters and digits, in which one of these words may occur by chance.
_RANDOM_TOKEN = re.compile(r"hf_[A-Za-z0-9]{30,}")
_MIN_DIFFERENT = 12  # characters; "hf_xxxx..." has fewer

_PRODUCT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*=[A-Za-z0-9-]{1,100}")
_FALLBACK = re.compile(r"[a-z]+:[!-~]{1,100}")
_MAX_FALLBACKS = 4
_MAX_RECEIVERS = 10
_MAX_RECEIVER = 2048  # characters
_MIN_WEBHOOK_SECRET = 16  # characters; with this secret anyone could forge payments

_T = TypeVar("_T")


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Provider(StrEnum):
    OPENROUTER = "openrouter"
    HUGGINGFACE = "huggingface"
    DEMO = "demo"


class ModerationOutage(StrEnum):
    CLOSED = "closed"
    OPEN = "open"


class TrustedDocuments(StrEnum):
    OFF = "off"
    ON = "on"
    ONLY = "only"


class PngResults(StrEnum):
    WEBP = "webp"
    WEBP_LOSSLESS = "webp-lossless"
    PNG = "png"


class Switch(StrEnum):
    ON = "on"
    OFF = "off"


class SignupVerification(StrEnum):
    OPTIONAL = "optional"
    REQUIRED = "required"


class AdminSecondFactor(StrEnum):
    OPTIONAL = "optional"
    REQUIRED = "required"


class SessionPlace(StrEnum):
    ADDRESS = "address"
    NETWORK = "network"
    NOTHING = "nothing"


class Access(StrEnum):
    ON = "on"
    ADMINS = "admins"
    OFF = "off"


class UploadMethod(StrEnum):
    POST = "post"
    PUT = "put"


class LogFormat(StrEnum):
    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def is_placeholder(key: str) -> bool:
    """Return whether `key` comes from an example file, or is too short for a real key."""
    if _RANDOM_TOKEN.fullmatch(key.strip()) and len(set(key)) >= _MIN_DIFFERENT:
        return False
    key = key.strip().lower()
    return len(key) < 8 or any(word in key for word in _PLACEHOLDERS)


def _has_good_port(url: str) -> bool:
    """Return whether `url` can be parsed and its port, if any, is valid."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _must(is_valid: Callable[[_T], bool], be: str) -> AfterValidator:
    """Return a validator that fails with "must be ..." unless `is_valid`."""

    def check(value: _T) -> _T:
        if not is_valid(value):
            raise ValueError(f"must be {be}")
        return value

    return AfterValidator(check)


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _is_origin(value: str) -> bool:
    return value == "*" or (_ORIGIN.fullmatch(value) is not None and _has_good_port(value))


def is_absolute_url(value: str) -> bool:
    """Return whether a text is an http:// or https:// address, without white space."""
    return re.fullmatch(r"https?://[^/\s]\S*", value) is not None and _has_good_port(value)


def _is_receiver(value: str) -> bool:
    """Return whether a webhook can be sent to an address: in plain ASCII, without a user name and a fragment."""
    is_plain = re.fullmatch(r"[!-\[\]-~]+", value) is not None and len(value) <= _MAX_RECEIVER and "#" not in value
    return is_plain and is_absolute_url(value) and "@" not in urlsplit(value).netloc


def _is_dsn(value: str) -> bool:
    return re.fullmatch(r"https?://[^/@:]+@[^/@]+/(\S+/)?[0-9]+", value) is not None and _has_good_port(value)


def _is_store(value: str) -> bool:
    # Neither a user name nor a query: links are made by appending to this URL.
    return _STORE.fullmatch(value) is not None and _has_good_port(value)


_SENTINELS = re.compile(r"rediss?\+sentinel://([^@/]*@)?[^@/,]+:\d{1,5}(,[^@/,]+:\d{1,5})*/[^/]+(/\d+)?")

_CLUSTER = re.compile(r"rediss?\+cluster://([^@/]*@)?[^@/,?]+:\d{1,5}(,[^@/,?]+:\d{1,5})*/?(\?[^#]*)?")


def _is_redis(value: str) -> bool:
    if _SENTINELS.fullmatch(value) or _CLUSTER.fullmatch(value):
        return True
    return value.startswith(("redis://", "rediss://")) and _has_good_port(value)


def _is_mail_server(value: str) -> bool:
    return re.match(r"smtp(s|\+starttls)?://[^/]", value) is not None and _has_good_port(value)


def _is_sender(value: str) -> bool:
    return value.isprintable() and "@" in parseaddr(value)[1].strip("@")


def _is_address(value: str) -> bool:
    try:
        validate_email(value, check_deliverability=False, globally_deliverable=False, strict=True)
    except EmailNotValidError:
        return False
    return "." in value.rpartition("@")[2]  # as for accounts


def _is_network(value: str) -> bool:
    try:
        ip_network(value)
    except ValueError:
        return False
    return True


def _is_signing_secret(value: str) -> bool:
    """Return whether a text is `whsec_` and 24 to 64 bytes in base64, as Standard Webhooks has it."""
    try:
        return value.startswith("whsec_") and 24 <= len(base64.b64decode(value[6:], validate=True)) <= 64
    except ValueError:
        return False


def _are_unique(pairs: tuple[str, ...]) -> bool:
    slugs, ids = [pair.partition("=")[0] for pair in pairs], [pair.partition("=")[2] for pair in pairs]
    return len(set(slugs)) == len(set(ids)) == len(pairs)


def _known_database(value: str) -> str:
    if value.startswith("sqlite://"):
        if not value.removeprefix("sqlite://").startswith("/"):
            raise ValueError("must name a file by its full path: sqlite:///srv/darkroom.sqlite3")
    elif not value.startswith(("postgres://", "postgresql://")) or not _has_good_port(value):
        raise ValueError("must be postgresql://user:password@host/name or sqlite:///path")
    return value


_strip_slash = AfterValidator(lambda value: value.rstrip("/"))
_lower = AfterValidator(lambda value: tuple(name.lower() for name in value))
_upper = AfterValidator(lambda value: tuple(name.upper() for name in value))
_names = BeforeValidator(_split)

Folder = Annotated[Path, _must(lambda path: not path.exists() or path.is_dir(), "a folder")]
DatabaseAddress = Annotated[str, AfterValidator(_known_database)]
PostgresAddress = Annotated[
    str,
    _must(
        lambda url: url.startswith(("postgres://", "postgresql://")) and _has_good_port(url),
        "postgresql://user:password@host/name",
    ),
]
RedisAddress = Annotated[
    str,
    _must(
        _is_redis,
        "redis://host:port, redis+cluster://host:port,host:port or redis+sentinel://host:port,host:port/service",
    ),
]
WebAddress = Annotated[str, _must(is_absolute_url, "an absolute http:// or https:// address"), _strip_slash]
SentryAddress = Annotated[str, _must(_is_dsn, "a DSN such as https://key@sentry.example.com/1")]
StoreAddress = Annotated[
    str, _must(_is_store, "an http:// or https:// address with neither a user nor a query"), _strip_slash
]
MailServer = Annotated[str, _must(_is_mail_server, "smtp://, smtp+starttls:// or smtps:// user:password@host:port")]
Sender = Annotated[str, _must(_is_sender, "an address such as Darkroom <hello@example.com>")]

# Comma-separated in the environment.
Origins = Annotated[
    tuple[str, ...],
    _names,
    _must(
        lambda origins: all(map(_is_origin, origins)),
        "origins such as https://app.example.com, comma-separated, with no path",
    ),
]
FileNames = Annotated[
    tuple[str, ...],
    _names,
    _must(lambda names: all(Path(name).is_file() for name in names), "existing files, comma-separated"),
]
HostNames = Annotated[
    tuple[str, ...],
    _names,
    _lower,
    _must(lambda hosts: all(map(_HOST.fullmatch, hosts)), "host names such as images.example.com, comma-separated"),
]
Formats = Annotated[
    tuple[str, ...],
    _names,
    _upper,
    _must(
        lambda names: bool(names) and set(names) <= _FORMATS,
        "one or more of JPEG, PNG, WEBP, HEIC, AVIF, comma-separated",
    ),
]
Networks = Annotated[
    tuple[str, ...],
    _names,
    _must(lambda networks: all(map(_is_network, networks)), "networks such as 10.0.0.0/8 or fd00::/8, comma-separated"),
]

Addresses = Annotated[
    tuple[str, ...],
    _names,
    _must(lambda addresses: all(map(_is_address, addresses)), "e-mail addresses, comma-separated"),
]
Secrets = Annotated[
    tuple[str, ...],
    _names,
    _must(lambda secrets: all(len(secret) >= _MIN_WEBHOOK_SECRET for secret in secrets), "secrets, comma-separated"),
]
SigningSecrets = Annotated[
    tuple[str, ...],
    _names,
    _must(
        lambda secrets: len(secrets) <= 2 and all(map(_is_signing_secret, secrets)),
        "whsec_ and 24 to 64 bytes in base64; two during a rotation, comma-separated",
    ),
]
Receivers = Annotated[
    tuple[str, ...],
    _names,
    _must(
        lambda urls: len(set(urls)) == len(urls) <= _MAX_RECEIVERS and all(map(_is_receiver, urls)),
        "at most 10 http:// or https:// addresses without a user, comma-separated, each once",
    ),
]
Products = Annotated[
    tuple[str, ...],
    _names,
    _must(
        lambda pairs: all(map(_PRODUCT.fullmatch, pairs)) and _are_unique(pairs),
        "slug=product id, comma-separated, each slug and each product once",
    ),
]
Fallbacks = Annotated[
    tuple[str, ...],
    _names,
    _must(
        lambda routes: len(set(routes)) == len(routes) <= _MAX_FALLBACKS and all(map(_FALLBACK.fullmatch, routes)),
        "at most 4 of provider:model, comma-separated, each once",
    ),
]


def problem_lines(error: ValidationError) -> list[str]:
    """Return what is wrong with settings, one line each, with the variable's name."""
    lines = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"]).upper()
        text = problem["msg"].removeprefix("Value error, ")
        lines += [f"{name}: {line}" if name else line for line in text.splitlines()]
    return lines
