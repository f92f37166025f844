"""`main.py check`: reports settings and connections, one line per part."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from adapters import make_sanitizers, open_storage, product_ids, server_limits
from models.database.connection import open_database
from models.database.migrate import missing_migrations
from models.database.replica import MAX_LAG, ReadReplica
from services.integrations.images.sanitizer import ImageSanitizer, SanitizerUnavailableError
from services.integrations.redis_client import ping
from services.integrations.storage.upload_probe import find_upload_problem
from services.products.profile import load_profile
from setting_types import UploadMethod
from settings import PROFILES, Settings
from web.open_connections import raise_descriptor_limit

_FEW_CONNECTIONS = 1000  # fewer than MAX_CONNECTIONS is worth a warning only below this
_TIMEOUT = 10  # seconds for each part


async def check(settings: Settings) -> int:
    """Print one line per part; return 1 if any of them fails."""

    async def migrations() -> str:
        async with open_database(settings.database):
            missing = await missing_migrations()
        return f"migrations are missing, run `main.py migrate`: {', '.join(missing)}" if missing else ""

    async def replica() -> str:
        async with open_database(settings.database):
            return await find_replica_problem(settings.database_replica_url or "")

    async def storage() -> str:
        async with open_storage(settings) as opened:
            await opened.check()
        return ""

    async def uploads() -> str:
        return await _check_uploads(settings)

    async def redis() -> str:
        if settings.redis_url is not None:
            await ping(settings.redis_url)
        return ""

    key = "API key is set" if settings.has_openrouter_key else "no API key needed"
    address = settings.database_replica_url
    replicas = [("replica", address.split("@")[-1], replica)] if address else []
    parts: list[tuple[str, str, Callable[[], Awaitable[str]]]] = [
        ("database", settings.database.split("@")[-1], migrations),
        *replicas,
        ("storage", storage_summary(settings), storage),
        ("uploads", settings.upload_method, uploads),
        ("redis", settings.redis_url.split("@")[-1] if settings.redis_url else "not set: single process", redis),
    ]
    failures = 0
    print(f"ok    settings   {settings.environment}, profile {settings.profile}")
    print(connections_line(settings, raise_descriptor_limit()))
    async with contextlib.aclosing(make_sanitizers(settings)) as sanitizers:
        print(await pictures_line(settings, sanitizers.uploads))
    for name, place, probe in parts:
        try:
            problem = await asyncio.wait_for(probe(), timeout=_TIMEOUT)
        except Exception as error:  # noqa: BLE001 - every error is reported in the part's line
            problem = f"{type(error).__name__}: {error}".splitlines()[0]
        failures += bool(problem)
        print(f"{'FAIL' if problem else 'ok':5} {name:10} {place}{': ' + problem if problem else ''}")
    print(f"ok    provider   {settings.provider} ({key})")
    missing = missing_products(settings)
    failures += bool(missing)
    status = "FAIL" if missing else "ok" if settings.has_payments else "none"
    problem = f": POLAR_PRODUCTS has no product for {', '.join(missing)}" if missing else ""
    print(f"{status:5} payments   {payments_summary(settings)}{problem}")
    print(f"{'ok' if settings.has_mail else 'none':5} mail       {settings.mail_summary}")
    return 1 if failures else 0


def storage_summary(settings: Settings) -> str:
    """Return where images are stored."""
    if settings.s3_bucket is None:
        return str(settings.data_dir / "files")
    place = f"s3://{settings.s3_bucket}/{settings.s3_prefix}"
    return f"{place} at {settings.s3_endpoint_url}" if settings.s3_endpoint_url else f"{place} in {settings.s3_region}"


def payments_summary(settings: Settings) -> str:
    """Return where payments go."""
    if settings.polar_access_token is not None:
        return f"{settings.polar_base_url}, products: {len(settings.polar_products)}"
    if settings.is_production:
        return "POLAR_ACCESS_TOKEN is not set: nothing can be bought"
    return "development checkout, nothing is charged"


def connections_line(settings: Settings, descriptors: int) -> str:
    """Return the line about the number of connections, for a process that may open `descriptors` files."""
    limits = server_limits(settings, descriptors)
    low = limits.total < min(settings.max_connections, _FEW_CONNECTIONS)
    problem = f": MAX_CONNECTIONS={settings.max_connections} needs a higher RLIMIT_NOFILE" if low else ""
    per_client = "any number" if limits.per_client is None else limits.per_client
    place = f"at most {limits.total} connections, {per_client} per client; {descriptors} file descriptors"
    return f"{'low' if low else 'ok':5} {'clients':10} {place}{problem}"


async def pictures_line(settings: Settings, sanitizer: ImageSanitizer) -> str:
    """Return the line about the pictures that clients may send."""
    accepted = set(settings.upload_formats or load_profile(PROFILES / f"{settings.profile}.toml").upload.formats)
    try:
        missing = ", ".join(sorted(accepted & await sanitizer.missing_formats()))
        problem = f": {missing} cannot be decoded here" if missing else ""
    except SanitizerUnavailableError as error:
        problem = f": {error}"
    place = f"at most {settings.image_max_megapixels} megapixels"
    return f"{'low' if problem else 'ok':5} {'pictures':10} {place}{problem}"


async def find_replica_problem(url: str) -> str:
    """Return why the primary serves lists at the moment; empty: the replica does. The database is open."""
    replica = ReadReplica(url, pool_size=1)
    try:
        lag = await replica.check()
    finally:
        replica.close()
    if lag is None:
        return "its lag is unknown, because the primary does not respond"
    return f"it lags by more than {MAX_LAG:.0f} s" if lag > MAX_LAG else ""


async def _check_uploads(settings: Settings) -> str:
    """Try how clients send photos ahead; if the store does not take it, try the other way and name the setting.

    Nothing is sent to a local storage. S3_PUBLIC_URL is left out: it may not be reachable from here.
    """
    if settings.s3_bucket is None:
        return ""
    problems: dict[UploadMethod, str] = {}
    for method in sorted(UploadMethod, key=lambda method: method is not settings.upload_method):
        tried = settings.model_copy(update={"s3_public_url": None, "s3_upload_method": method})
        async with open_storage(tried) as storage:
            problems[method] = await find_upload_problem(storage)
        if not problems[method]:
            break
    else:
        return "the store takes no uploads: " + ", ".join(f"{method}: {what}" for method, what in problems.items())
    if method is settings.upload_method:
        return ""
    return f"the store does not take it ({problems[settings.upload_method]}), set S3_UPLOAD_METHOD={method}"


def missing_products(settings: Settings) -> list[str]:
    """Return the slugs that the profile sells and that have no product id at the payment provider."""
    if not settings.has_payments:
        return []
    profile = load_profile(PROFILES / f"{settings.profile}.toml")
    sold = [package.slug for package in profile.packages]
    sold += [plan.slug for plan in profile.plans if plan.price is not None]
    known = product_ids(settings, profile)
    return [slug for slug in sold if slug not in known]
