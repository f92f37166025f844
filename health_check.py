"""`main.py check`: reports settings and connections, one line per part."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from adapters import make_sanitizers, make_token_verifier, open_storage, product_ids, server_limits
from models.database.connection import open_database
from models.database.migrate import missing_migrations
from models.database.replica import MAX_LAG, ReadReplica
from provider_adapters import load_product, make_enhancer, make_moderator, make_routes
from services.generations.prompts.enhancement import SECONDS as ENHANCEMENT_SECONDS
from services.integrations.identity.issuer import IssuerUnavailableError
from services.integrations.images.sanitizer import ImageSanitizer, SanitizerUnavailableError
from services.integrations.messaging.bus import Bus
from services.integrations.providers.protocol import ProviderError
from services.integrations.rate_limiter import RateLimiter
from services.integrations.redis_client import ping
from services.integrations.storage.upload_probe import find_upload_problem
from services.operations.part_check import check_database, problem_of
from services.operations.provider_keys import key_problem
from setting_types import ModerationOutage, Provider, Switch, UploadMethod
from settings import Settings, misspelt_settings
from state_check import state_lines
from web.open_connections import raise_descriptor_limit

_FEW_CONNECTIONS = 1000  # fewer than MAX_CONNECTIONS is worth a warning only below this
_SHORT_AGE = 60  # seconds
_TIMEOUT = 10  # seconds for each part
_HARMLESS = "A red fox in the snow"  # for questions to text models, which cost a fraction of a cent


async def check(settings: Settings) -> int:
    """Print one line per part; return 1 if any of them fails."""

    async def database() -> str:
        async with open_database(settings.database):
            if missing := await missing_migrations():
                return f"migrations are missing, run `main.py migrate`: {', '.join(missing)}"
            await check_database()
        return ""

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
            await _check_redis(settings.redis_url)
        return ""

    address = settings.database_replica_url
    replicas = [("replica", address.split("@")[-1], replica)] if address else []
    parts: list[tuple[str, str, Callable[[], Awaitable[str]]]] = [
        ("database", settings.database.split("@")[-1], database),
        *replicas,
        ("storage", storage_summary(settings), storage),
        ("uploads", settings.upload_method, uploads),
        ("redis", settings.redis_url.split("@")[-1] if settings.redis_url else "not set: single process", redis),
    ]

    failures = 0
    print("\n".join([*settings_lines(settings), connections_line(settings, raise_descriptor_limit())]))
    async with contextlib.aclosing(make_sanitizers(settings)) as sanitizers:
        print(await pictures_line(settings, sanitizers.uploads))
    for name, place, probe in parts:
        try:
            problem = await asyncio.wait_for(probe(), timeout=_TIMEOUT)
        except Exception as error:  # noqa: BLE001 - every error is reported in the part's line
            problem = f"{problem_of(error)} ({type(error).__name__}: {error})".splitlines()[0]
        failures += bool(problem)
        print(f"{'FAIL' if problem else 'ok':5} {name:10} {place}{': ' + problem if problem else ''}")
    for line in await _service_lines(settings):
        failures += line.startswith("FAIL")
        print(line)
    missing = missing_products(settings)
    failures += bool(missing)
    status = "FAIL" if missing else "ok" if settings.has_payments else "none"
    problem = f": POLAR_PRODUCTS has no product for {', '.join(missing)}" if missing else ""
    print(f"{status:5} payments   {payments_summary(settings)}{problem}")
    print(f"{'ok' if settings.has_mail else 'none':5} mail       {settings.mail_summary}")
    return 1 if failures else 0


def settings_lines(settings: Settings) -> list[str]:
    """Return the line about the settings, and one for each that is probably not what was meant."""
    problems = [f"{name} is no setting: {meant} is meant?" for name, meant in misspelt_settings().items()]
    if settings.generation_sweep_seconds > settings.generation_lease_seconds:
        problems.append("GENERATION_SWEEP_SECONDS is above GENERATION_LEASE_SECONDS: a dead worker is noticed late")
    if 0 < settings.socket_max_seconds < _SHORT_AGE:
        problems.append(f"SOCKET_MAX_SECONDS is below {_SHORT_AGE}: clients connect again all the time")
    if settings.order_seconds <= settings.generation_deadline_seconds:
        problems.append("ORDER_SECONDS is not above GENERATION_DEADLINE_SECONDS: slow orders of /v1 get a timeout")
    if settings.is_production and settings.redis_url is None and settings.database.startswith("postgres"):
        problems.append("REDIS_URL is not set: with more than one process, live events arrive late")
    if settings.is_production and settings.rate_limits is Switch.OFF:
        problems.append("RATE_LIMITS=off is for load tests")
    if settings.is_production and settings.public_url is None:
        problems.append("PUBLIC_URL is not set: links to files start with this machine's own address")
    elif settings.public_url is None and settings.listens_everywhere:
        problems.append(f"PUBLIC_URL is not set: for other machines, links to {settings.address} lead nowhere")
    first = f"{'ok':5} {'settings':10} {settings.environment}, profile {settings.profile}"
    return [first, *(f"{'low':5} {'settings':10} {problem}" for problem in problems)]


async def _service_lines(settings: Settings) -> list[str]:
    """Return the lines about what the tables say, what makes pictures, and who signs users in."""
    lines = [*await provider_lines(settings), await moderation_line(settings), await enhancement_line(settings)]
    with contextlib.suppress(Exception):  # the database's line has the error
        lines = [*await asyncio.wait_for(state_lines(settings), timeout=_TIMEOUT), *lines]
    return [*lines, *await issuer_lines(settings)]


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
    accepted = set(settings.upload_formats or load_product(settings).upload.formats)
    try:
        missing = ", ".join(sorted(accepted & await sanitizer.missing_formats()))
        problem = f": {missing} cannot be decoded here" if missing else ""
    except SanitizerUnavailableError as error:
        problem = f": {error}"
    place = f"at most {settings.image_max_megapixels} megapixels"
    return f"{'low' if problem else 'ok':5} {'pictures':10} {place}{problem}"


async def provider_lines(settings: Settings) -> list[str]:
    """Return a line about each provider, whose key it is asked about, and one about calls that fail."""
    lines = []
    async with contextlib.aclosing(make_routes(settings)) as routes:
        for number, provider in enumerate(routes.providers):
            problem, key = "", "no API key needed"
            try:
                status = await asyncio.wait_for(provider.check_key(), timeout=_TIMEOUT)
            except (ProviderError, TimeoutError) as error:
                problem, key = f"cannot be asked: {error}", "API key is set"
            else:
                if status is not None:
                    left = status.dollars_left
                    key = "API key is valid" + (f", {left:.2f} US dollars left" if left is not None else "")
                    problem = key_problem(status)
            state = f"{provider.name}: {problem}" if problem else f"{provider.name} ({key})"
            lines.append(f"{'FAIL' if problem else 'ok':5} {'fallback' if number else 'provider':10} {state}")
    return [*lines, f"ok    {'routes':10} {routes_summary(settings)}"]


async def moderation_line(settings: Settings) -> str:
    """Return the line about the checks of what users write; the model is asked about a harmless text."""
    phrases = len(load_product(settings).moderation.blocklist)
    moderator = make_moderator(settings)
    if moderator is None:
        status, what = ("ok", f"a blocklist of {phrases}, no model") if phrases else ("none", "texts are not checked")
        return f"{status:5} moderation {what}"
    async with contextlib.aclosing(moderator):
        problem = await _find_model_problem(moderator.rejected([_HARMLESS]), settings.moderation_seconds)
    place = (settings.moderation_url or settings.openrouter_base_url).split("@")[-1]
    what = f"a blocklist of {phrases}, " if phrases else ""
    place = f"{what}{settings.moderation_model} at {place}, {settings.moderation_outage} during its outage"
    failed = "FAIL" if settings.moderation_outage is ModerationOutage.CLOSED else "low"  # closed refuses every order
    return f"{failed if problem else 'ok':5} moderation {place}{problem}"


async def enhancement_line(settings: Settings) -> str:
    """Return the line about the enhancement of prompts; the text model is asked to enhance one."""
    profile, enhancer = load_product(settings), make_enhancer(settings)
    if not profile.enhances_prompts or enhancer is None:
        why = "needs OPENROUTER_API_KEY" if profile.enhances_prompts else f"{profile.name} does not offer it"
        return f"{'none':5} prompts    are not enhanced: {why}"
    async with contextlib.aclosing(enhancer):
        problem = await _find_model_problem(enhancer.enhance(_HARMLESS), ENHANCEMENT_SECONDS)
    place = "the demo provider" if settings.provider is Provider.DEMO else settings.openrouter_text_model
    return f"{'low' if problem else 'ok':5} prompts    enhanced by {place}{problem}"  # without it, made as written


async def _find_model_problem(question: Awaitable[object], seconds: float) -> str:
    """Return why a text model gives no answer, to be appended to its line; empty: it does."""
    try:
        async with asyncio.timeout(seconds):
            await question
    except ProviderError as error:
        return f": {error}"
    except TimeoutError:
        return f": no answer within {seconds:g} s"
    return ""


async def issuer_lines(settings: Settings) -> list[str]:
    """Return a line about each issuer of OIDC_ISSUERS, whose discovery document and keys are fetched."""
    lines: list[str] = []
    verifier = make_token_verifier(settings)
    if verifier is None:
        return lines
    async with contextlib.aclosing(verifier):
        for issuer in verifier.issuers.values():
            count, problem = 0, ""
            try:
                count = await asyncio.wait_for(verifier.check(issuer.issuer), timeout=_TIMEOUT)
            except (IssuerUnavailableError, TimeoutError) as error:
                problem = f": {error or 'it does not respond'}"
            else:
                problem = "" if count else f": it has no key for {issuer.algorithm}"
            keys = f" ({issuer.algorithm}, {count} {'key' if count == 1 else 'keys'})" if count else ""
            lines.append(f"{'FAIL' if problem else 'ok':5} {'issuer':10} {issuer.issuer}{keys}{problem}")
    return lines


def routes_summary(settings: Settings) -> str:
    """Return which models are tried, when a circuit opens, and how many calls are made at once."""
    others = ", then ".join(settings.fallback_models)
    share, calls = settings.circuit_failure_share, settings.circuit_min_calls
    return (
        f"the ordered model{', then ' + others if others else ' only'}; a circuit opens for"
        f" {settings.circuit_open_seconds:g} s if {share:.0%} of {calls} calls or more in"
        f" {settings.circuit_window_seconds} s fail; {settings.provider_max_calls or 'any number of'} calls at once"
    )


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


async def _check_redis(url: str) -> None:
    await ping(url)
    async with Bus.open(url) as bus:
        await bus.check()
    async with contextlib.aclosing(RateLimiter(url)) as limiter:
        await limiter.check()  # a write


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
    profile = load_product(settings)
    sold = [package.slug for package in profile.packages]
    sold += [plan.slug for plan in profile.plans if plan.price is not None]
    known = product_ids(settings, profile)
    return [slug for slug in sold if slug not in known]
