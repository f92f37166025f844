"""A profile whose credits expire, and what an account then has."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from models import CreditGrant
from settings import PROFILES
from tests.support.client import Api

SIGNUP_DAYS, PACKAGE_DAYS, MONTH_DAYS, KEPT = 30, 60, 45, 20

_PACKAGE = f'{{slug = "credits-50", credits = 50, price = 499, currency = "usd", credits_expire_days = {PACKAGE_DAYS}}}'
_BASIC = (
    '{slug = "basic", title = {en = "Basic", zh = "基础版"}, kind = "SUBSCRIPTION", price = 999, currency = "usd",'
    f" credits_per_month = 100, credits_expire_days = {MONTH_DAYS}, rollover = {KEPT}}}"
)
_EXPIRING = "{ viewer { credits hasLowCredits expiringCredits { credits expiresAt } } }"


def write_profile(folder: Path, more: str = "") -> str:
    """Write the studio's profile with credits that expire, and `more`, and return its name for `settings.profile`."""
    text = (PROFILES / "studio.toml").read_text(encoding="utf-8")
    (folder / "shared").symlink_to(PROFILES / "shared")
    text = text.replace('"credits-50"', _PACKAGE).replace('"basic"', _BASIC)
    text += f"\n[expiry]\nsignup_days = {SIGNUP_DAYS}\n{more}"
    (folder / "expiring.toml").write_text(text, encoding="utf-8")
    return str(folder / "expiring")


async def expiring(api: Api) -> list[tuple[int, int]]:
    """Return the viewer's credits that expire, and in how many days, soonest first."""
    viewer = await api.one(_EXPIRING)
    now = datetime.now(UTC)
    found: dict[int, int] = {}
    for each in viewer["expiringCredits"]:
        days = round((datetime.fromisoformat(each["expiresAt"]) - now) / timedelta(days=1))
        found[days] = found.get(days, 0) + each["credits"]
    return [(credits, days) for days, credits in found.items()]


async def let_expire(user_id: str, type: str | None = None) -> list[str]:
    """Move the account's grants, or those of one type, into the past, and return them."""
    grants = CreditGrant.filter(user_id=user_id, **({"type": type} if type else {}))
    ids: list[str] = [id for (id,) in await grants.values_list("id")]
    await grants.update(expires_at=datetime.now(UTC) - timedelta(minutes=1))
    return ids
