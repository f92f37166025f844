"""What an account, or a stranger, can keep busy: password hashing, mail, storage."""

import asyncio

import httpx

from tests.campaigns.attack import Attack, Target
from tests.support.client import photo

_CHANGE = 'mutation { changePassword(input: {current: "wrong wrong", new: "battery staple"}) { errors { code } } }'
_SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { token errors { code } } }"
_RESET = "mutation($email: String!) { requestPasswordReset(email: $email) { sent errors { code } } }"
_ORDER = """mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) { generations { id } errors { code } } }"""
_CANCEL = "mutation($id: ID!) { cancelGeneration(id: $id) { errors { code } } }"


async def password_guesses(target: Target) -> None:
    """40 guesses at once, of one account's password by its own session and of others' by sign-in."""
    mallory = await target.sign_up()

    async def change() -> httpx.Response:
        return await mallory.raw(_CHANGE)

    async def sign_in() -> httpx.Response:
        email = f"user-{target.rng.getrandbits(16)}@example.com"
        return await target.api.raw(_SIGN_IN, input={"email": email, "password": "wrong wrong"})

    await asyncio.gather(target.repeat(20, change, pause=0.2), target.repeat(20, sign_in, pause=0.2))


async def password_reset_mails(target: Target) -> None:
    """Mails to many addresses from one client."""

    async def send() -> httpx.Response:
        return await target.api.raw(_RESET, email=f"user-{target.rng.getrandbits(32)}@example.com")

    await target.repeat(8, send, pause=0.1)


async def orders_canceled_at_once(target: Target) -> None:
    """Order with a large photo and cancel, which would store the photo free of charge."""
    mallory = await target.sign_up()
    picture = photo(3000, 2000)

    async def order() -> httpx.Response:
        response = await mallory.raw(_ORDER, {"input.image": picture}, input={"prompt": "a boat"})
        made = ((response.json().get("data") or {}).get("createGeneration") or {}).get("generations") or []
        for generation in made:
            await mallory.raw(_CANCEL, id=generation["id"])
        return response

    await target.repeat(4, order, pause=0.1)


ATTACKS: tuple[Attack, ...] = (password_guesses, password_reset_mails, orders_canceled_at_once)
