"""Who an answer speaks to: the account that signs in, changes or signs out within the same request."""

import asyncio

import pytest

from tests.support.client import CREDITS, Api, photo

pytestmark = pytest.mark.any_database

PASSWORD = "correct horse"
SESSION = """
token user { id email transactions { nodes { description user { email } generation { id message } } } }
errors { code }
"""


async def test_whoever_signs_in_is_answered_as_themselves(ada: Api) -> None:
    bob = await ada.sign_up("bob@example.com", locale="zh-CN")
    (generation,) = (await bob.create(photo(), styleId=await bob.style("cute", "plushify")))["generations"]
    await bob.wait_for_end(generation["id"])
    query = "mutation($input: SignInInput!) { signIn(input: $input) {" + SESSION + "} }"
    # Ada's token comes with the request that signs Bob in.
    session = await ada.one(query, input={"email": "bob@example.com", "password": PASSWORD})
    lines = session["user"]["transactions"]["nodes"]
    assert {line["user"]["email"] for line in lines} == {"bob@example.com"}
    assert [line["generation"] and line["generation"]["id"] for line in lines] == [generation["id"], None]
    assert lines[0]["generation"]["message"] == "你的图片已完成。"


async def test_a_new_account_is_answered_in_the_language_that_it_chose(api: Api) -> None:
    query = "mutation($input: SignUpInput!) { signUp(input: $input) {" + SESSION + "} }"
    made = await api.one(query, input={"email": "mei@example.com", "password": PASSWORD, "locale": "zh-CN"})
    (line,) = made["user"]["transactions"]["nodes"]
    assert line["user"]["email"] == "mei@example.com"
    assert not line["description"].isascii()


async def test_a_changed_language_is_that_of_the_answer(ada: Api) -> None:
    query = """mutation($locale: String) {
      updateProfile(input: {locale: $locale}) { user { transactions { nodes { description } } } }
    }"""
    descriptions = [
        (await ada.one(query, locale=locale))["user"]["transactions"]["nodes"][0]["description"]
        for locale in ("zh-CN", "en")
    ]
    assert [text.isascii() for text in descriptions] == [False, True]


async def test_nothing_is_done_for_an_account_after_it_has_signed_out(ada: Api) -> None:
    query = """mutation {
      out: signOut(everywhere: true) { sessionsEnded }
      made: createGeneration(input: {prompt: "A red boat"}) { generations { id } }
    }"""
    body = (await ada.raw(query)).json()
    assert [error["extensions"]["code"] for error in body["errors"]] == ["UNAUTHENTICATED"]
    again = await ada.one(
        "mutation($input: SignInInput!) { signIn(input: $input) { user { credits } } }",
        input={"email": "ada@example.com", "password": PASSWORD},
    )
    assert again["user"]["credits"] == 30


async def test_a_refused_order_shows_the_balance_after_those_before_it(ada: Api) -> None:
    query = """mutation {
      first: createGeneration(input: {prompt: "A red boat", count: 2}) { viewer { credits } }
      second: createGeneration(input: {prompt: "A red boat", count: 9}) { viewer { credits } errors { code } }
    }"""
    data = await ada.ask(query)
    assert (data["first"]["viewer"]["credits"], data["second"]["viewer"]["credits"]) == (28, 28)
    assert data["second"]["errors"] == [{"code": "INVALID_INPUT"}]


async def test_of_several_operations_one_must_be_named(ada: Api) -> None:
    order = 'mutation A { createGeneration(input: {prompt: "A red boat"}) { errors { code } } }'
    query = order + " query B { viewer { id } }"
    refused = await ada.refused(query)
    assert refused["code"] == "INVALID_INPUT"
    assert await ada.credits() == 30
    named = await ada.http.post("/graphql", json={"query": query, "operationName": "B"}, headers=ada.headers())
    assert named.json()["data"]["viewer"]["id"] == ada.user["id"]


async def test_an_old_password_opens_nothing_once_it_has_been_changed(ada: Api) -> None:
    sign_in = "mutation($input: SignInInput!) { signIn(input: $input) { token errors { code } } }"
    change = "mutation($input: ChangePasswordInput!) { changePassword(input: $input) { errors { code } } }"
    old = {"email": "ada@example.com", "password": PASSWORD}
    changed, *opened = await asyncio.gather(
        ada.one(change, input={"current": PASSWORD, "new": "better horse"}),
        *(ada.one(sign_in, input=old) for _ in range(12)),
    )
    assert changed["errors"] == []
    tokens = [session["token"] for session in opened if session["token"]]
    assert [await Api(ada.http, ada.address, token).one("{ viewer { id } }") for token in tokens] == [None] * len(
        tokens
    )
    assert (await ada.one(sign_in, input={**old, "password": "better horse"}))["errors"] == []


async def test_a_replay_never_tells_a_client_to_go_back(ada: Api) -> None:
    (bonus,) = (await ada.one("{ viewer { transactions { nodes { id } } } }"))["transactions"]["nodes"]
    for _ in range(3):
        await ada.create(prompt="A red boat")
    async with ada.socket() as socket:
        stream = await socket.subscribe(CREDITS, after=bonus["id"])
        events = [await stream.next() for _ in range(4)]
    assert [event["transaction"] and event["transaction"]["balance"] for event in events] == [None, 29, 28, 27]
    assert [event["credits"] for event in events] == [27] * 4
    assert len({event["version"] for event in events}) == 1
