"""An account with one valid row in each table, for tests of constraints."""

from dataclasses import dataclass

from tests.support import factories, named_lists
from tests.support.factories import insert


@dataclass(frozen=True)
class SampleAccount:
    """The ids of an account with one valid row in each table."""

    user: str
    collection: str
    style: str
    picture: str
    original: str
    result: str
    generation: str
    plan: str
    pass_id: str
    endpoint: str
    album: str
    tag: str
    other: str  # another account

    @classmethod
    async def create(cls) -> "SampleAccount":
        """Insert the rows."""
        owner = (await insert("users", factories.user(credits=9)))["id"]
        series = (await insert("collections", factories.collection(slug="series")))["id"]
        look = (await insert("styles", factories.style(series, slug="look")))["id"]
        picture = (await insert("style_pictures", factories.style_picture(owner)))["id"]
        original = (await insert("files", factories.file(owner)))["id"]
        result = (await insert("files", factories.file(owner, kind="RESULT")))["id"]
        made = await insert("generations", factories.generation(owner, style_id=look, original_id=original))
        monthly = (await insert("plans", factories.plan()))["id"]
        bought = await insert("passes", factories.hour_pass(owner, monthly))
        hook = await insert("webhook_endpoints", factories.webhook_endpoint(user_id=owner))
        foxes = await insert("albums", named_lists.album(owner))
        red = await insert("tags", named_lists.tag(owner))
        other = await insert("users", factories.user())
        named = (hook["id"], foxes["id"], red["id"], other["id"])
        return cls(owner, series, look, picture, original, result, made["id"], monthly, bought["id"], *named)
