"""The rows of an account's second factor."""

from models import RecoveryCode, SecondFactor, Session, User


async def delete_factor(user_id: str) -> None:
    """Remove everything of an account's second factor, inside a transaction that has locked the account."""
    await User.filter(id=user_id).update(second_factor_since=None)
    for owned in (SecondFactor, RecoveryCode):
        await owned.filter(user_id=user_id).delete()
    await Session.filter(user_id=user_id).update(second_factor_at=None)
