"""Mails about results: one for a batch, to users who are not connected and asked for it, with a link to stop them."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from models import AccountPresence, Generation, ResultNotice, User
from models.database.connection import rows
from services.core.chore import Lane
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, tasks_ended, until
from tests.support.integrity import assert_invariants
from tests.support.mail_server import Mailbox
from tests.support.polar_store import user_of

UPDATE = (
    "mutation($input: UpdateProfileInput!) { updateProfile(input: $input)"
    " { user { notifyByMail version } errors { code field } } }"
)
CANCEL = "mutation($id: ID!) { cancelGeneration(id: $id) { errors { code } } }"
DELETE = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }"
PER_HOUR = 3


@pytest.fixture
async def server(scripted_settings: Settings, mailbox: Mailbox) -> AsyncIterator[Running]:
    """An idle server that mails at once, three times an hour at most."""
    changes = {
        "smtp_url": mailbox.url,
        "mail_from": "hello@darkroom.example",
        "app_url": "https://app.example",
        "result_mail_seconds": 0.0,
        "result_mails_per_hour": PER_HOUR,
    }
    async with running(scripted_settings.model_copy(update=changes), idle=True) as found:
        yield found


async def account(server: Running, mailbox: Mailbox, **more: str) -> Api:
    """Sign up, verify the address and ask for mails; the mailbox is empty afterwards."""
    ada = await server.api.sign_up(**more)
    await mailbox.wait_for(1)
    mailbox.mails.clear()
    await ada.verify_address()
    assert await ask(ada) == {"user": {"notifyByMail": True, "version": 2}, "errors": []}
    return ada


async def ask(api: Api, *, wanted: bool | None = True) -> dict[str, object]:
    answer: dict[str, object] = await api.one(UPDATE, input={"notifyByMail": wanted})
    return answer


async def order(server: Running, api: Api, count: int = 1) -> list[str]:
    """Order pictures and make them; return their ids."""
    made = (await api.create(prompt="A boat", count=count))["generations"]
    for row in made:
        await server.services.generations.worker.process(row["id"])
    return [str(row["id"]) for row in made]


async def sweep(server: Running) -> None:
    await server.services.background.sweeper.sweep_lane(Lane.MAIL)


async def announce(server: Running, batches: int = 1) -> None:
    """Decide about this number of batches, once as many are due."""

    async def due() -> bool:
        return len(await server.services.accounts.result_mail.mails.due(10)) == batches

    await until(due)
    await sweep(server)


async def states() -> list[str]:
    return sorted([notice.state.value for notice in await ResultNotice.all()])


def link_of(mail: EmailMessage) -> str:
    """Return the link that ends the mails, as the header has it and the text."""
    found = re.fullmatch(r"<(\S+)>", "".join(str(mail["List-Unsubscribe"]).split()))
    assert found
    assert found[1] in mail.get_content()
    return found[1]


async def test_picture_is_announced_by_one_mail(server: Running, mailbox: Mailbox) -> None:
    ada = await account(server, mailbox)
    (made,) = await order(server, ada)
    await announce(server)
    await sweep(server)
    (mail,) = mailbox.mails
    text = mail.get_content()
    assert (mail["To"], mail["Subject"]) == ("ada@example.com", "Your picture is ready")
    assert f"https://app.example/pictures/{made}\n" in text
    (preview,) = [line for line in text.splitlines() if "/files/" in line]
    shown = await ada.http.get(preview)
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png"), "too small for a thumbnail"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link_of(mail).startswith(f"{server.settings.address}/unsubscribe?token=")
    assert await states() == ["SENT"]
    await assert_invariants(server.services)


async def test_batch_is_one_mail_once_all_of_it_has_ended(server: Running, mailbox: Mailbox) -> None:
    ada = await account(server, mailbox)
    first, *others = (await ada.create(prompt="A boat", count=3))["generations"]
    process = server.services.generations.worker.process
    await process(first["id"])
    await sweep(server)
    assert (mailbox.mails, await states()) == ([], ["WAITING"])
    for row in others:
        await process(row["id"])
    mails = server.services.accounts.result_mail.mails

    async def due() -> bool:
        return list(await mails.due(10)) == [first["batchId"]]

    await until(due)
    await asyncio.gather(*(mails.send(first["batchId"]) for _ in range(6)))
    (mail,) = mailbox.mails
    assert mail["Subject"] == "Your 3 results are ready"
    assert f"https://app.example/batches/{first['batchId']}\n" in mail.get_content()


async def fail(generation_id: str) -> None:
    await rows(
        "UPDATE generations SET status = 'FAILED', stage = 'FAILED', error_code = 'GENERATION_FAILED',"
        " completed_at = NOW(), progress = 1, version = version + 1 WHERE id = $1 RETURNING id",
        generation_id,
    )


async def test_failed_order_is_announced_in_the_users_language(server: Running, mailbox: Mailbox) -> None:
    ada = await account(server, mailbox)
    assert (await ada.one(UPDATE, input={"locale": "zh-CN"}))["errors"] == []
    (made,) = (await ada.create(prompt="A boat"))["generations"]
    await fail(made["id"])
    await announce(server)
    (mail,) = mailbox.mails
    assert mail["Subject"] == "您的订单未能完成"


async def test_canceled_order_and_account_that_asked_for_nothing_get_no_mail(server: Running, mailbox: Mailbox) -> None:
    ada = await account(server, mailbox)
    (made,) = (await ada.create(prompt="A boat"))["generations"]
    assert (await ada.one(CANCEL, id=made["id"]))["errors"] == []
    assert (await ask(ada, wanted=None))["errors"] == []
    await order(server, ada)
    await sweep(server)
    assert (mailbox.mails, await ResultNotice.all().count()) == ([], 0)


async def presence_after_the_result() -> bool:
    newest = "SELECT 1 AS found FROM account_presence WHERE seen_at >= (SELECT MAX(completed_at) FROM generations)"
    return bool(await rows(newest))


async def test_connected_user_gets_no_mail(server: Running, mailbox: Mailbox) -> None:
    ada = await account(server, mailbox)
    async with ada.socket() as socket:
        stream = await socket.subscribe("subscription { creditsChanged { credits } }")
        await stream.next()
        await order(server, ada)
    await until(presence_after_the_result)  # the socket's end is recorded, too: the page was open
    await tasks_ended("presence")
    await announce(server)
    assert (mailbox.mails, await states()) == ([], ["SKIPPED"])
    await AccountPresence.all().update(seen_at=datetime(2020, 1, 1, tzinfo=UTC))
    await order(server, ada)
    await announce(server)
    assert (len(mailbox.mails), await states()) == (1, ["SENT", "SKIPPED"])
    await server.services.background.sweeper.sweep_lane(Lane.CLEAN_UP)
    assert await AccountPresence.all().count() == 0


@pytest.mark.parametrize("is_stream", [False, True])
async def test_user_whose_program_received_the_picture_gets_no_mail(
    server: Running, mailbox: Mailbox, is_stream: bool
) -> None:
    ada = await account(server, mailbox)
    for leaves in (False, True):
        sent = {"prompt": "A boat", "stream": is_stream}
        request = asyncio.create_task(ada.http.post("/v1/images/generations", json=sent, headers=ada.headers()))

        async def waits() -> bool:
            return server.services.events.topics.subscriber_count() == 1

        async def has_left() -> bool:
            return not server.services.accounts.connections._connections

        await until(waits)
        if leaves:
            request.cancel()
            await until(has_left)
        (made,) = await Generation.filter(status="PENDING")
        await server.services.generations.worker.process(made.id)
        if not leaves:
            assert (await request).status_code == 200
        await (announce(server) if leaves else sweep(server))
        assert (len(mailbox.mails), (await states())[0]) == ((1, "SENT") if leaves else (0, "SKIPPED"))
    assert await AccountPresence.all().count() == 0


@pytest.mark.parametrize("is_stream", [False, True])
async def test_program_that_waits_for_its_order_hides_no_other(
    server: Running, mailbox: Mailbox, is_stream: bool
) -> None:
    ada = await account(server, mailbox)
    await order(server, ada)
    body = {"prompt": "A fox", "stream": is_stream}
    request = asyncio.create_task(ada.http.post("/v1/images/generations", json=body, headers=ada.headers()))

    async def waits() -> bool:
        return server.services.events.topics.subscriber_count() == 1

    await until(waits)
    await server.services.accounts.result_mail.presence.aclose()  # nothing is being recorded any more
    waiting = await Generation.get(status="PENDING")
    await announce(server)
    assert (len(mailbox.mails), await states()) == (1, ["SENT"])
    await fail(waiting.id)
    assert ("generation_failed" in (await request).text, await states()) == (True, ["SENT", "SKIPPED"])


async def test_presence_of_accounts_without_mails_is_not_recorded(server: Running, mailbox: Mailbox) -> None:
    ada = await account(server, mailbox)
    await ask(ada, wanted=False)
    async with ada.socket() as socket:
        stream = await socket.subscribe("subscription { creditsChanged { credits } }")
        await stream.next()
    assert await AccountPresence.all().count() == 0


async def test_account_gets_a_number_of_mails_an_hour(server: Running, mailbox: Mailbox) -> None:
    ada = await account(server, mailbox)
    for _ in range(PER_HOUR + 2):
        await order(server, ada)
    mails = server.services.accounts.result_mail.mails

    async def due() -> bool:
        return len(await mails.due(10)) == PER_HOUR + 2

    await until(due)
    await asyncio.gather(*(mails.send(batch) for batch in await mails.due(10)))
    assert (len(mailbox.mails), await states()) == (PER_HOUR, ["SENT"] * PER_HOUR + ["SKIPPED"] * 2)


async def test_refused_mail_is_not_sent_again(server: Running, mailbox: Mailbox) -> None:
    ada = await account(server, mailbox)
    await order(server, ada)
    mailbox.refusal = "451 busy"
    await announce(server)
    mailbox.refusal = None
    await sweep(server)
    assert (mailbox.mails, await states()) == ([], ["SENT"])


async def test_one_request_of_a_mail_program_ends_the_mails(server: Running, mailbox: Mailbox) -> None:
    ada = await account(server, mailbox)
    await order(server, ada)
    await announce(server)
    link = link_of(mailbox.mails[0])
    shown = await server.api.http.get(link)
    assert (shown.status_code, "Stop these mails" in shown.text) == (200, True)
    assert (await User.get(id=user_of(ada))).notify_by_mail, "opening the link is not enough: scanners do"
    for _ in range(2):
        answer = await server.api.http.post(link, data={"List-Unsubscribe": "One-Click"})
        assert (answer.status_code, answer.history) == (200, [])
    user = await User.get(id=user_of(ada))
    await order(server, ada)
    await sweep(server)
    assert (user.notify_by_mail, len(mailbox.mails)) == (False, 1)


@pytest.mark.parametrize("change", [("token=", "token=x"), ("usr_", "gen_"), (r"token=.*", "token="), (r".$", "")])
async def test_other_links_end_no_mails(server: Running, mailbox: Mailbox, change: tuple[str, str]) -> None:
    ada = await account(server, mailbox)
    link = server.services.accounts.result_mail.unsubscription.link(user_of(ada))
    refused = await server.api.http.post(re.sub(*change, link))
    assert refused.status_code == 400
    assert (await User.get(id=user_of(ada))).notify_by_mail


async def test_mails_need_a_verified_address(server: Running, mailbox: Mailbox) -> None:
    ada = await server.api.sign_up()
    await mailbox.wait_for(1)  # an address that is verified meanwhile gets none
    refused = await ask(ada)
    assert refused == {"user": None, "errors": [{"code": "FORBIDDEN", "field": None}]}
    await ada.verify_address()
    await ask(ada)
    await User.filter(id=user_of(ada)).update(email_verified=False)
    await order(server, ada)
    await announce(server)
    assert (len(mailbox.mails), await states()) == (1, ["SKIPPED"])


async def test_deleted_account_gets_no_mail(server: Running, mailbox: Mailbox) -> None:
    ada = await account(server, mailbox)
    await order(server, ada)
    confirmation = {"password": "correct horse", "confirmEmail": "ada@example.com"}
    assert (await ada.one(DELETE, input=confirmation))["errors"] == []
    await sweep(server)
    assert (mailbox.mails, await ResultNotice.all().count()) == ([], 0)
