"""Sign-up, sign-in, sign-out, profile and password, with valid and invalid input."""

import asyncio
import hashlib
from typing import Any

from models.database.connection import rows
from services.accounts.user import DEMO_EMAIL
from tests.conftest import Running
from tests.support.client import SIGN_UP, Api

PASSWORD = "correct horse"
VIEWER = "{ viewer { id email name locale role isMember credits version maxBatch } }"
ERRORS = "errors { code message field }"
SIGN_IN = f"mutation($input: SignInInput!) {{ signIn(input: $input) {{ token expiresAt user {{ id }} {ERRORS} }} }}"
SIGN_OUT = "mutation($everywhere: Boolean) { signOut(everywhere: $everywhere) { sessionsEnded } }"
UPDATE = (
    "mutation($input: UpdateProfileInput!) { updateProfile(input: $input)"
    f" {{ user {{ name locale version }} {ERRORS} }} }}"
)
CHANGE = f"mutation($input: ChangePasswordInput!) {{ changePassword(input: $input) {{ user {{ version }} {ERRORS} }} }}"

VALID_EMAILS = {
    "ada@example.com": "ada@example.com",
    "Ada.Lovelace+notes@Example.COM": "Ada.Lovelace+notes@example.com",
    "用户@例子.广告": "用户@例子.广告",
}
INVALID_EMAILS = [
    "",
    "ada",
    "@example.com",
    "ada@",
    "ada@localhost",
    "ada@example..com",
    "ada@@example.com",
    "ada@example.com, eve@example.com",
    "ada@[127.0.0.1]",
    "Ada <ada@example.com>",
    "ada @example.com",
    "ada\x00@example.com",
    "ada\n@example.com",
    "ada@example.com\r\nBcc: eve@example.com",
    "a" * 65 + "@example.com",
    "ΐ" * 120 + "@example.com",  # three times as long when case-folded
    "ada@" + "a" * 64 + ".com",
    "ada@" + "a." * 130 + "com",
]
INVALID_PASSWORDS = [
    "",
    "short",
    "x" * 7,
    "x" * 129,
    "nul\x00nul\x00",
    "line\nline\n",
    "tab\ttab\ttab",
    "\x1b[31mred!!",
]
VALID_NAMES = {
    "Ada": "Ada",
    "  Ada  Lovelace ": "Ada  Lovelace",
    "": None,
    "   ": None,
    "爱达·洛芙莱斯": "爱达·洛芙莱斯",
    "آدا": "آدا",
    "<b>Ada</b> '; DROP TABLE users; --": "<b>Ada</b> '; DROP TABLE users; --",
    "👩‍💻": "👩‍💻",
    "x" * 100: "x" * 100,
}
INVALID_NAMES = [
    "x" * 101,
    "a\x00b",
    "a\nb",
    "a\tb",
    "a\x7fb",
    "a\x1b[31mb",
    "a\u2028b",
    "\u202eadA",
    "a\u2066b\u2069",
]
LOCALES = {"en": "en", "EN-gb": "en", "zh": "zh-CN", "zh_CN": "zh-CN", "zh-Hant": "zh-CN"}
INVALID_LOCALES = ["", "fr", "x" * 1000, "en\x00", "../en", "e"]


async def sign_up(api: Api, **input: Any) -> Any:
    return await api.one(SIGN_UP, input={"email": "ada@example.com", "password": PASSWORD, **input})


async def sign_in(api: Api, email: str = "ada@example.com", password: str = PASSWORD) -> Api:
    """Sign in and return a client with the new session."""
    made = await api.one(SIGN_IN, input={"email": email, "password": password})
    assert made["errors"] == []
    return Api(api.http, api.address, made["token"], made["user"])


async def is_signed_in(api: Api) -> bool:
    return await api.is_signed_in()


async def test_a_suspended_account_cannot_sign_in_and_only_the_right_password_reveals_why(api: Api) -> None:
    ada = await api.sign_up("ada@example.com", PASSWORD)
    await rows("UPDATE users SET suspended_at = NOW() WHERE id = $1 RETURNING id", ada.user["id"])
    assert not await ada.is_signed_in()
    refused = await api.refused(SIGN_IN, input={"email": "ada@example.com", "password": PASSWORD})
    assert (refused["code"], refused["message"]) == ("FORBIDDEN", "This account is suspended.")
    wrong = await api.refused(SIGN_IN, input={"email": "ada@example.com", "password": "wrong horse"})
    assert wrong["code"] == "INVALID_INPUT"


async def test_sign_up_opens_a_session_and_grants_the_bonus(api: Api) -> None:
    ada = await api.sign_up(name="Ada", locale="zh")
    assert await ada.one(VIEWER) == {
        "id": ada.user["id"],
        "email": "ada@example.com",
        "name": "Ada",
        "locale": "zh-CN",
        "role": "USER",
        "isMember": False,
        "credits": 30,
        "version": 1,
        "maxBatch": 4,
    }
    (line,) = await ada.ledger()
    assert (line["type"], line["amount"], line["balance"]) == ("BONUS", 30, 30)


async def test_viewer_is_null_when_signed_out(api: Api) -> None:
    assert not await api.is_signed_in()


async def test_addresses_are_stored_normalized(api: Api) -> None:
    for given, stored in VALID_EMAILS.items():
        made = await sign_up(api, email=given)
        assert made["user"]["email"] == stored
        assert (await sign_in(api, given.upper())).user["id"] == made["user"]["id"]


async def test_sign_up_with_invalid_input_creates_no_account(api: Api) -> None:
    before = await rows("SELECT count(*) AS n FROM users")
    refused: list[tuple[str, list[str]]] = [
        ("email", INVALID_EMAILS),
        ("password", INVALID_PASSWORDS),
        ("name", INVALID_NAMES),
        ("locale", [value for value in INVALID_LOCALES if value != "fr"]),
    ]
    for field, values in refused:
        for value in values:
            made = await sign_up(api, **{field: value})
            (error,) = made.pop("errors")
            assert (error["code"], error["field"]) == ("INVALID_INPUT", [field]), (field, value)
            assert set(made.values()) == {None}
            assert not value or value not in error["message"] or len(value) < 3, "the message must not repeat the value"
    assert await rows("SELECT count(*) AS n FROM users") == before


async def test_sign_up_refuses_other_spellings_of_an_existing_address(api: Api) -> None:
    await api.sign_up("ada@example.com")
    for spelling in ("ada@example.com", "ADA@example.com", "Ada@EXAMPLE.com"):
        error = await api.refused(SIGN_UP, input={"email": spelling, "password": "another one"})
        assert (error["code"], error["field"]) == ("CONFLICT", ["email"])


async def test_concurrent_sign_ups_with_one_address_create_one_account(api: Api) -> None:
    made = await asyncio.gather(*(sign_up(api, email=email) for email in ("ada@example.com", "ADA@example.com") * 3))
    assert sum(one["token"] is not None for one in made) == 1
    codes = {error["code"] for one in made for error in one["errors"]}
    assert codes == {"CONFLICT"}
    (user,) = await rows("SELECT credits, ledger_sequence FROM users WHERE email = 'ada@example.com'")
    assert user == {"credits": 30, "ledger_sequence": 1}


async def test_neither_token_nor_password_is_stored(ada: Api) -> None:
    (session,) = await rows("SELECT * FROM sessions WHERE user_id = $1", ada.user["id"])
    (user,) = await rows("SELECT * FROM users WHERE id = $1", ada.user["id"])
    assert ada.token
    assert len(ada.token) >= 43, "256 bits"
    assert session["token_hash"] == hashlib.sha256(ada.token.encode()).hexdigest()
    assert user["password_hash"].startswith("$argon2id$")
    stored = f"{session}{user}"
    assert ada.token not in stored
    assert PASSWORD not in stored


async def test_password_hashes_have_the_recommended_parameters_outside_of_tests(api: Api) -> None:
    # The demo account was created by a regular start, without the cheap hashing of the tests.
    (demo,) = await rows("SELECT password_hash FROM users WHERE email = $1", DEMO_EMAIL)
    assert demo["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


async def test_each_sign_in_has_a_distinct_token(ada: Api) -> None:
    again, once_more = await sign_in(ada), await sign_in(ada)
    assert len({ada.token, again.token, once_more.token}) == 3
    for one in (ada, again, once_more):
        assert (await one.one(VIEWER))["id"] == ada.user["id"]


async def test_wrong_password_and_unknown_address_have_the_same_response(ada: Api) -> None:
    attempts = [
        ("ada@example.com", "wrong horse"),
        ("ada@example.com", PASSWORD.upper()),
        ("ada@example.com", PASSWORD + " "),
        ("ada@example.com", ""),
        ("ada@example.com", "x" * 100_000),
        ("ada@example.com", PASSWORD + "\x00"),
        ("eve@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("", ""),
        ("ada@example.com\x00", PASSWORD),
    ]
    responses = [
        (await ada.raw(SIGN_IN, input={"email": email, "password": password})).json() for email, password in attempts
    ]
    (error,) = responses[0]["data"]["signIn"].pop("errors")
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["password"])
    assert responses[0]["data"]["signIn"] == {"token": None, "expiresAt": None, "user": None}
    responses[0]["data"]["signIn"]["errors"] = [error]
    assert all(response == responses[0] for response in responses)


async def test_unknown_and_malformed_tokens_are_unauthenticated(ada: Api) -> None:
    assert ada.token
    for token in ("x", ada.token[:-1], ada.token + "x", ada.token.swapcase(), "' OR 1=1 --", "A" * 43, "A" * 5_000):
        assert not await is_signed_in(Api(ada.http, ada.address, token)), token
    for header in (f"Basic {ada.token}", "Bearer ,", f"Bearer {ada.token} x", "Bearer null", "Bearer undefined"):
        response = await ada.http.post("/graphql", json={"query": VIEWER}, headers={"authorization": header})
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED", header
        assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert await is_signed_in(ada)


async def test_expired_session_is_signed_out_and_removed(server: Running, ada: Api) -> None:
    other = await sign_in(ada)
    sql = "UPDATE sessions SET expires_at = LATER($2) WHERE token_hash = $1 RETURNING id"
    assert ada.token
    assert await rows(sql, hashlib.sha256(ada.token.encode()).hexdigest(), -0.5)
    assert not await is_signed_in(ada)
    error = await ada.refused(UPDATE, input={"name": "Eve"})
    assert error["code"] == "UNAUTHENTICATED"
    assert await is_signed_in(other)
    await server.services.background.sweeper.sweep()
    assert len(await rows("SELECT id FROM sessions WHERE user_id = $1", ada.user["id"])) == 1


async def test_sign_out_ends_one_session_or_all(ada: Api) -> None:
    second, third, eve = await sign_in(ada), await sign_in(ada), await ada.sign_up("eve@example.com")
    assert await second.one(SIGN_OUT) == {"sessionsEnded": 1}
    assert [await is_signed_in(one) for one in (ada, second, third)] == [True, False, True]
    assert (await second.refused(SIGN_OUT))["code"] == "UNAUTHENTICATED"
    assert await ada.one(SIGN_OUT, everywhere=True) == {"sessionsEnded": 2}
    assert [await is_signed_in(one) for one in (ada, second, third, eve)] == [False, False, False, True]


async def test_update_profile_keeps_omitted_fields_and_clears_null_fields(ada: Api) -> None:
    steps: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"name": "Ada", "locale": "zh"}, {"name": "Ada", "locale": "zh-CN", "version": 2}),
        ({"name": "Countess"}, {"name": "Countess", "locale": "zh-CN", "version": 3}),
        ({"locale": "en"}, {"name": "Countess", "locale": "en", "version": 4}),
        ({}, {"name": "Countess", "locale": "en", "version": 4}),
        ({"name": None}, {"name": None, "locale": "en", "version": 5}),
        ({"locale": None, "name": "Ada"}, {"name": "Ada", "locale": None, "version": 6}),
    ]
    for input, expected in steps:
        assert await ada.one(UPDATE, input=input) == {"user": expected, "errors": []}, input
        viewer = await ada.one(VIEWER)
        assert {name: viewer[name] for name in expected} == expected


async def test_update_profile_normalizes_names_and_locales(ada: Api) -> None:
    for field, values in (("name", VALID_NAMES), ("locale", LOCALES)):
        for given, stored in values.items():
            changed = await ada.one(UPDATE, input={field: given})
            assert changed["errors"] == []
            assert changed["user"][field] == stored, given


async def test_update_profile_with_an_invalid_field_changes_nothing(ada: Api) -> None:
    before = await ada.one(VIEWER)
    for field, values in (("name", INVALID_NAMES), ("locale", INVALID_LOCALES)):
        for value in values:
            error = await ada.refused(UPDATE, input={"name": "Eve", "locale": "zh", field: value})
            assert (error["code"], error["field"]) == ("INVALID_INPUT", [field]), value
    assert await ada.one(VIEWER) == before


async def test_change_password_ends_all_other_sessions(ada: Api) -> None:
    other, eve = await sign_in(ada), await ada.sign_up("eve@example.com")
    changed = await ada.one(CHANGE, input={"current": PASSWORD, "new": "battery staple"})
    assert changed == {"user": {"version": 2}, "errors": []}
    assert [await is_signed_in(one) for one in (ada, other, eve)] == [True, False, True]
    error = await ada.refused(SIGN_IN, input={"email": "ada@example.com", "password": PASSWORD})
    assert error["field"] == ["password"]
    assert await is_signed_in(await sign_in(ada, password="battery staple"))


async def test_refused_change_password_changes_nothing(ada: Api) -> None:
    other = await sign_in(ada)
    attempts = [(current, "battery staple", "current") for current in ("wrong horse", "", "x" * 1000, "\x00")]
    attempts += [(PASSWORD, new, "new") for new in INVALID_PASSWORDS]
    for current, new, field in attempts:
        error = await ada.refused(CHANGE, input={"current": current, "new": new})
        assert (error["code"], error["field"]) == ("INVALID_INPUT", [field]), (current, new)
    assert (await ada.one(VIEWER))["version"] == 1
    assert await is_signed_in(other)
    await sign_in(ada)
