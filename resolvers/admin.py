"""The door of admins; what lies behind it says itself how it is read."""

from schema.admin import Admin


async def admin() -> Admin:
    return Admin()
