"""The language of a response: the saved one, else the socket's, else the browser's, else the profile's."""

import json
from dataclasses import replace
from typing import Any

import pytest
import websockets

from models.database.connection import rows
from models.enum import ErrorCode, GenerationStage, MediaKind
from schema.runtime.access import Audience
from schema.runtime.context import Context
from services.core.error import UnauthenticatedError
from services.generations.status_message import stage_message
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import PROGRESS, SIGN_UP, Api, photo
from tests.support.second_process import claim_in_another_process, create_in_another_process

pytestmark = pytest.mark.any_database

SIGN_OUT = "mutation { signOut { sessionsEnded } }"
ENGLISH, CHINESE = "Please sign in.", "请先登录。"
LOCALE = (
    "mutation($locale: String) { updateProfile(input: {locale: $locale}) { user { locale } errors { code message } } }"
)
STYLE = """query { style(slug: "classic", collection: "avenger") {
  title description category variables { label } collection { title description } } }"""


async def error_message(api: Api, **headers: str) -> str:
    """Return the message of the GraphQL error for a client that is signed out."""
    return str((await api.raw(SIGN_OUT, headers=headers)).json()["errors"][0]["message"])


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


WEIGHED = {
    "zh-CN": CHINESE,
    "zh": CHINESE,
    "zh_CN": CHINESE,
    "ZH-cn": CHINESE,
    "zh-Hans-CN": CHINESE,
    "en-GB": ENGLISH,
    "en;q=0.8, zh-CN;q=0.9": CHINESE,
    "zh-CN;q=0.8, en;q=0.9": ENGLISH,
    "zh-CN;Q=0.1, en;Q=0.2": ENGLISH,
    "fr, de;q=0.9, zh;q=0.1": CHINESE,
    "zh;q=0, en;q=0.1": ENGLISH,
    "zh, en": CHINESE,
    "en, zh": ENGLISH,
    "fr": ENGLISH,
    "*": ENGLISH,
    "": ENGLISH,
    "zh;q=nan, zh;q=7, zh;q=x, ;;, ,": ENGLISH,
    "x" * 5000 + ", zh": ENGLISH,
}


async def test_accept_language_is_matched_by_weight(api: Api) -> None:
    assert {header: await error_message(api, **{"accept-language": header}) for header in WEIGHED} == WEIGHED


async def test_the_saved_language_takes_precedence_over_the_browsers(ada: Api) -> None:
    used = {"email": "ada@example.com", "password": "correct horse"}

    async def sign_up_error(**headers: str) -> Any:
        return (await ada.raw(SIGN_UP, headers=headers, input=used)).json()["data"]["signUp"]["errors"][0]["message"]

    assert await sign_up_error() == "There is an account with this e-mail address."
    assert await sign_up_error(**{"accept-language": "zh-CN"}) == "此邮箱地址已注册。"
    saved = await ada.one(LOCALE, locale="zh")
    assert saved["user"]["locale"] == "zh-CN"
    assert await sign_up_error(**{"accept-language": "en"}) == "此邮箱地址已注册。"
    assert (await ada.one(LOCALE, locale="tlh"))["errors"][0]["message"] == "不提供此语言，请从 en, zh-CN 中选择。"
    await ada.one(LOCALE, locale="en-US")
    assert await sign_up_error(**{"accept-language": "zh-CN"}) == "There is an account with this e-mail address."
    await ada.one(LOCALE, locale=None)
    assert await sign_up_error(**{"accept-language": "zh-CN"}) == "此邮箱地址已注册。"


async def test_a_language_chosen_at_sign_up_is_saved(api: Api) -> None:
    eve = await api.sign_up("eve@example.com", locale="zh-CN")
    (line,) = (await eve.one("{ viewer { transactions { nodes { description } } } }"))["transactions"]["nodes"]
    assert line["description"] == "新用户奖励"


async def test_a_sockets_language_is_used_after_the_saved_one_and_before_the_browsers(ada: Api) -> None:
    query = '{ style(slug: "cute") { title } }'

    async def title(handshake: str, **payload: Any) -> Any:
        url = ada.address.replace("http", "ws", 1) + "/graphql"
        protocols = [websockets.Subprotocol("graphql-transport-ws")]
        headers = {"accept-language": handshake}
        async with websockets.connect(url, subprotocols=protocols, additional_headers=headers) as connection:
            return await execute(connection, payload, query)

    assert await title("en", locale="zh-CN") == "可爱"
    assert await title("zh-CN", locale="en") == "Cute"
    assert await title("zh-CN") == "可爱"
    assert await title("zh-CN", locale="tlh") == "可爱"
    assert await title("zh-CN", locale=7) == "可爱"
    assert await title("en", locale="zh-CN", token=ada.token) == "可爱"
    await ada.one(LOCALE, locale="en")
    assert await title("zh-CN", locale="zh-CN", token=ada.token) == "Cute"


async def execute(connection: websockets.ClientConnection, payload: dict[str, Any], query: str) -> Any:
    """Return the title that a query over a new connection responds with."""
    await connection.send(json.dumps({"type": "connection_init", "payload": payload}))
    await connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query}}))
    assert json.loads(await connection.recv())["type"] == "connection_ack"
    return json.loads(await connection.recv())["payload"]["data"]["style"]["title"]


async def test_an_open_socket_uses_a_newly_saved_language(ada: Api) -> None:
    async with ada.socket() as socket:
        query = '{ style(slug: "cute") { title } }'
        assert (await (await socket.subscribe(query)).next())["title"] == "Cute"
        await ada.one(LOCALE, locale="zh-CN")
        assert (await (await socket.subscribe(query)).next())["title"] == "可爱"


async def test_a_request_without_a_supported_language_gets_the_profiles(server: Running) -> None:
    refusal = UnauthenticatedError().message
    for language, expected in (("en", ENGLISH), ("zh", CHINESE)):
        profile = server.services.products.profile.model_copy(update={"locale": language})
        services = replace(server.services, products=replace(server.services.products, profile=profile))
        context = Context(
            services,
            token=None,
            is_cookie=False,
            client="unknown",
            accept_language="fr",
            is_socket=False,
            introspection=Audience.EVERYONE,
        )
        assert context.translate(refusal) == expected
        context.connect(None, "zh-CN")
        assert context.translate(refusal) == CHINESE


async def test_the_catalogue_is_translated(api: Api) -> None:
    responses = [
        (await api.raw(STYLE, headers={"accept-language": each})).json()["data"]["style"] for each in ("en", "zh")
    ]
    english, translated = responses
    for name in ("title", "description", "category"):
        assert not is_chinese(english[name])
        assert is_chinese(translated[name])
    assert english["variables"]
    for original, translation in zip(english["variables"], translated["variables"], strict=True):
        assert not is_chinese(original["label"])
        assert is_chinese(translation["label"])
    for name in ("title", "description"):
        assert english["collection"][name] != translated["collection"][name]


async def test_each_subscriber_gets_stage_messages_in_its_own_language(settings: Settings) -> None:
    async with running(settings.model_copy(update={"generation_sweep_seconds": 600.0})) as server:
        ada = await server.api.sign_up()
        generation_id = await create_in_another_process(server.services, ada)
        publish = server.services.events.publisher.generation_changed
        async with ada.socket() as one, ada.socket(token=ada.token, locale="zh-CN") as other:
            streams = [await browser.subscribe(PROGRESS, id=generation_id) for browser in (one, other)]
            received = [[await stream.next()] for stream in streams]
            claim = await claim_in_another_process(generation_id)
            await publish(claim.generation)
            for stage in (GenerationStage.GENERATING, GenerationStage.STORING):
                await claim.advance(stage, 0.5)
                await publish(claim.generation)
            await publish(await claim.fail(ErrorCode.CONTENT_REJECTED, called=True))
            for events, stream in zip(received, streams, strict=True):
                events += await stream.rest()
    english, translated = received
    assert [event["message"] for event in english] == [
        stage_message(GenerationStage(event["stage"]), MediaKind.IMAGE).text for event in english
    ]
    assert [event["message"] for event in translated] == [
        "正在排队等候处理。",
        "正在检查请求。",
        "正在生成你的图片。",
        "正在保存你的图片。",
        "生成失败。",
    ]
    assert english[-1]["errorMessage"].startswith("The image service declined this request.")
    assert translated[-1]["errorMessage"] == "图像服务拒绝了此请求，请换一张照片或换一种描述。"


async def test_generation_messages_and_ledger_descriptions_are_translated(ada: Api) -> None:
    (made,) = (await ada.create(photo(), styleId=await ada.style("cute", "plushify")))["generations"]
    await ada.wait_for_end(made["id"])
    query = """{ viewer {
      generations { nodes { message styleTitle } }
      transactions { nodes { description } }
    } }"""
    for language, expected in (
        ("en", ("Your picture is ready.", "Cute", ["Generation", "Welcome bonus"])),
        ("zh-CN", ("你的图片已完成。", "可爱", ["生成作品", "新用户奖励"])),
    ):
        viewer = (await ada.raw(query, headers={"accept-language": language})).json()["data"]["viewer"]
        (generation,) = viewer["generations"]["nodes"]
        lines = [line["description"] for line in viewer["transactions"]["nodes"]]
        assert (generation["message"], generation["styleTitle"], lines) == expected


async def test_payload_errors_are_translated_with_their_values(ada: Api) -> None:
    style = await ada.style("noir", "avenger")
    create = "mutation($input: CreateGenerationInput!) { createGeneration(input: $input) { errors { code message } } }"
    for language, message in (
        ("en", "This needs 40 credits; you have 30."),
        ("zh-CN", "需要 40 积分，你目前有 30 积分。"),
    ):
        response = await ada.raw(
            create, {"input.image": photo()}, {"accept-language": language}, input={"styleId": style, "count": 4}
        )
        (error,) = response.json()["data"]["createGeneration"]["errors"]
        assert error == {"code": "INSUFFICIENT_CREDITS", "message": message}


async def test_a_refusal_lists_options_in_the_requests_language(ada: Api) -> None:
    query = '{ style(slug: "noir") { id variables { name options } } }'
    for language, comma in (("en", ", "), ("zh-CN", "、")):
        noir = (await ada.raw(query, headers={"accept-language": language})).json()["data"]["style"]
        wrong = {"styleId": noir["id"], "variables": {"background": "a garden"}}
        create = "mutation($input: CreateGenerationInput!) { createGeneration(input: $input) { errors { message } } }"
        response = await ada.raw(create, {"input.image": photo()}, {"accept-language": language}, input=wrong)
        (error,) = response.json()["data"]["createGeneration"]["errors"]
        (options,) = [one["options"] for one in noir["variables"] if one["name"] == "background"]
        assert comma.join(options) in error["message"]


async def test_an_internal_error_is_translated(api: Api) -> None:
    await rows("UPDATE styles SET variables = $1 WHERE slug = 'free'", '[{"unknown": 1}]')
    query = '{ style(slug: "free") { variables { name } } }'
    response = await api.raw(query, headers={"accept-language": "zh-CN"})
    (error,) = response.json()["errors"]
    assert error["message"] == f"我们这边出了点问题。参考编号：{error['extensions']['reference']}"
