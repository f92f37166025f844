"""Responses of mutations that change the viewer: sign-in, sign-up, profile, sign-out."""

import asyncio
from dataclasses import replace

import pytest

from tests.support.client import CREDITS, Api, photo

pytestmark = pytest.mark.any_database

PASSWORD = "correct horse"
SESSION = """
token user { id email transactions { nodes { description user { email } generation { id message } } } }
errors { code }
"""


async def test_sign_in_response_belongs_to_the_new_viewer(ada: Api) -> None:
    bob = await ada.sign_up("bob@example.com", locale="zh-CN")
    (generation,) = (await bob.create(photo(), styleId=await bob.style("cute", "plushify")))["generations"]
    await bob.wait_for_end(generation["id"])
    query = "mutation($input: SignInInput!) { signIn(input: $input) {" + SESSION + "} }"
    # The request that signs Bob in carries Ada's token.
    session = await ada.one(query, input={"email": "bob@example.com", "password": PASSWORD})
    lines = session["user"]["transactions"]["nodes"]
    assert {line["user"]["email"] for line in lines} == {"bob@example.com"}
    assert [line["generation"] and line["generation"]["id"] for line in lines] == [generation["id"], None]
    assert lines[0]["generation"]["message"] == "你的图片已完成。"


async def test_sign_up_response_is_in_the_chosen_language(api: Api) -> None:
    query = "mutation($input: SignUpInput!) { signUp(input: $input) {" + SESSION + "} }"
    made = await api.one(query, input={"email": "mei@example.com", "password": PASSWORD, "locale": "zh-CN"})
    (line,) = made["user"]["transactions"]["nodes"]
    assert line["user"]["email"] == "mei@example.com"
    assert not line["description"].isascii()


async def test_update_profile_response_is_in_the_new_language(ada: Api) -> None:
    query = """mutation($locale: String) {
      updateProfile(input: {locale: $locale}) { user { transactions { nodes { description } } } }
    }"""
    descriptions = [
        (await ada.one(query, locale=locale))["user"]["transactions"]["nodes"][0]["description"]
        for locale in ("zh-CN", "en")
    ]
    assert [text.isascii() for text in descriptions] == [False, True]


async def test_mutations_after_sign_out_in_the_same_request_are_refused(ada: Api) -> None:
    query = """mutation {
      out: signOut(everywhere: true) { sessionsEnded }
      made: createGeneration(input: {prompt: "A red boat"}) { generations { id } }
    }"""
    body = (await ada.raw(query)).json()
    assert [error["extensions"]["code"] for error in body["errors"]] == ["UNAUTHENTICATED"]
    again = await replace(ada, token=None).one(
        "mutation($input: SignInInput!) { signIn(input: $input) { user { credits } } }",
        input={"email": "ada@example.com", "password": PASSWORD},
    )
    assert again["user"]["credits"] == 30


async def test_refused_mutation_returns_the_balance_after_earlier_mutations(ada: Api) -> None:
    query = """mutation {
      first: createGeneration(input: {prompt: "A red boat", count: 2}) { viewer { credits } }
      second: createGeneration(input: {prompt: "A red boat", count: 9}) { viewer { credits } errors { code } }
    }"""
    data = await ada.execute(query)
    assert (data["first"]["viewer"]["credits"], data["second"]["viewer"]["credits"]) == (28, 28)
    assert data["second"]["errors"] == [{"code": "INVALID_INPUT"}]


async def test_document_with_several_operations_requires_an_operation_name(ada: Api) -> None:
    create = 'mutation A { createGeneration(input: {prompt: "A red boat"}) { errors { code } } }'
    query = create + " query B { viewer { id } }"
    refused = await ada.refused(query)
    assert refused["code"] == "INVALID_INPUT"
    assert await ada.credits() == 30
    named = await ada.http.post("/graphql", json={"query": query, "operationName": "B"}, headers=ada.headers())
    assert named.json()["data"]["viewer"]["id"] == ada.user["id"]


async def test_sign_ins_during_change_password_leave_no_session_with_the_old_password(ada: Api) -> None:
    sign_in = "mutation($input: SignInInput!) { signIn(input: $input) { token errors { code } } }"
    change = "mutation($input: ChangePasswordInput!) { changePassword(input: $input) { errors { code } } }"
    old = {"email": "ada@example.com", "password": PASSWORD}
    changed, *sessions = await asyncio.gather(
        ada.one(change, input={"current": PASSWORD, "new": "better horse"}),
        *(ada.one(sign_in, input=old) for _ in range(12)),
    )
    assert changed["errors"] == []
    tokens = [session["token"] for session in sessions if session["token"]]
    assert not any([await Api(ada.http, ada.address, token).is_signed_in() for token in tokens])
    assert (await ada.one(sign_in, input={**old, "password": "better horse"}))["errors"] == []


async def test_replayed_credit_events_carry_the_current_balance_and_version(ada: Api) -> None:
    (bonus,) = (await ada.one("{ viewer { transactions { nodes { id } } } }"))["transactions"]["nodes"]
    for _ in range(3):
        await ada.create(prompt="A red boat")
    async with ada.socket() as socket:
        stream = await socket.subscribe(CREDITS, after=bonus["id"])
        events = [await stream.next() for _ in range(4)]
    assert [event["transaction"] and event["transaction"]["balance"] for event in events] == [None, 29, 28, 27]
    assert [event["credits"] for event in events] == [27] * 4
    assert len({event["version"] for event in events}) == 1
