"""`main.py check`: one line per part, and what is missing."""

import asyncio
from collections.abc import Awaitable, Callable

from adapters import open_storage, product_ids
from models.database.connection import open_database
from models.database.migrate import missing_migrations
from services.integrations.messaging.redis_pubsub import ping
from services.products.profile import load_profile
from settings import PROFILES, Settings


async def check(settings: Settings) -> int:
    """One line per part; 1 when something is missing."""

    async def migrations() -> str:
        async with open_database(settings.database):
            missing = await missing_migrations()
        return f"migrations are missing, run `main.py migrate`: {', '.join(missing)}" if missing else ""

    async def storage() -> str:
        async with open_storage(settings) as place:
            await place.check()
        return ""

    async def redis() -> str:
        if settings.redis_url is not None:
            await ping(settings.redis_url)
        return ""

    key = "its key is set" if settings.has_openrouter_key else "no key needed"
    parts: list[tuple[str, str, Callable[[], Awaitable[str]]]] = [
        ("database", settings.database.split("@")[-1], migrations),
        ("storage", settings.storage_summary, storage),
        ("redis", settings.redis_url.split("@")[-1] if settings.redis_url else "not set: one process only", redis),
    ]
    broken = 0
    print(f"ok    settings   {settings.environment}, profile {settings.profile}")
    for name, where, ask in parts:
        try:
            problem = await asyncio.wait_for(ask(), timeout=10)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this part's line
            problem = f"{type(error).__name__}: {error}".splitlines()[0]
        broken += bool(problem)
        print(f"{'FAIL' if problem else 'ok':5} {name:10} {where}{': ' + problem if problem else ''}")
    print(f"ok    provider   {settings.provider} ({key})")
    unnamed = without_product(settings)
    broken += bool(unnamed)
    till = "FAIL" if unnamed else "ok" if settings.has_payments else "none"
    what = f": POLAR_PRODUCTS names no product for {', '.join(unnamed)}" if unnamed else ""
    print(f"{till:5} payments   {settings.payments_summary}{what}")
    print(f"{'ok' if settings.has_mail else 'none':5} mail       {settings.mail_summary}")
    return 1 if broken else 0


def without_product(settings: Settings) -> list[str]:
    """What the profile sells at a price, and the till has no product for."""
    if not settings.has_payments:
        return []
    profile = load_profile(PROFILES / f"{settings.profile}.toml")
    sold = [package.slug for package in profile.packages]
    sold += [plan.slug for plan in profile.plans if plan.price is not None]
    products = product_ids(settings, profile)
    return [slug for slug in sold if slug not in products]
