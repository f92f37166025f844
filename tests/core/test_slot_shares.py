"""Scarce slots of the services: none lets one account, recipient or client hold them all."""

import asyncio
from typing import Any

import pytest

from models import File
from models.database.connection import open_database
from models.enum import FileKind, MailPurpose
from services.accounts.mail import MailService
from services.core.locale import Translator
from services.events.publisher import EventPublisher
from services.gallery.share import ShareService
from services.gallery.share_preview import SharePreviews
from services.integrations.images.sanitizer import ImageSanitizer
from services.integrations.mail.protocol import Mail
from services.integrations.messaging.bus import Bus
from services.operations.analytics import AnalyticsService
from settings import LOCALES


class HeldMailer:
    """A mailer whose mails are never delivered."""

    def __init__(self) -> None:
        self.sending: list[str] = []

    async def send(self, mail: Mail) -> None:
        self.sending.append(mail.to)
        await asyncio.Event().wait()


class HeldDatabase:
    """A read-only database whose queries never end."""

    def __init__(self) -> None:
        self.running: list[str] = []

    async def rows(self, sql: str, *_: Any) -> list[dict[str, Any]]:
        self.running.append(sql)
        await asyncio.Event().wait()
        return []


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_mails_to_one_recipient_leave_connections_to_others() -> None:
    mailer = HeldMailer()
    mail = MailService(mailer, Translator(LOCALES), "http://localhost")
    for to in ["eve@example.com"] * 20 + ["bob@example.com"]:
        mail.in_background(mail.send(MailPurpose.RESET, to, "token", "en"))
    await settle()
    assert sorted(mailer.sending) == ["bob@example.com", "eve@example.com", "eve@example.com"]
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        if task.get_name() == "mail":
            task.cancel()
    await mail.aclose()


@pytest.mark.any_database
async def test_queries_of_one_admin_leave_a_slot_to_others(database: str) -> None:
    held = HeldDatabase()
    analytics = AnalyticsService(held)  # type: ignore[arg-type]  # it calls nothing but `rows`
    async with open_database(database):
        tasks = [analytics.between(None, None, admin_id="usr_eve").ledger for _ in range(9)]
        await settle()
        assert len(held.running) == 2
        tasks.append(analytics.between(None, None, admin_id="usr_bob").ledger)
        await settle()
        assert len(held.running) == 3
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


class HeldStorage:
    """A storage whose reads never end."""

    def __init__(self) -> None:
        self.reads = 0

    async def get_part(self, key: str, start: int, size: int) -> bytes:
        self.reads += 1
        await asyncio.Event().wait()
        return b""


async def test_reads_of_shared_pictures_by_one_client_leave_slots_to_others() -> None:
    storage = HeldStorage()
    previews = SharePreviews(storage, ImageSanitizer())  # type: ignore[arg-type]  # only reads
    shares = ShareService(storage, EventPublisher(Bus()), previews, "http://localhost")  # type: ignore[arg-type]  # so
    file = File(id="fil_1", owner_id="usr_ada", kind=FileKind.RESULT, content_type="image/jpeg")
    tasks = [asyncio.create_task(shares.read_part(file, 0, 1, client="203.0.113.1")) for _ in range(30)]
    await settle()
    assert storage.reads == 4
    tasks.append(asyncio.create_task(shares.read_part(file, 0, 1, client="203.0.113.2")))
    await settle()
    assert storage.reads == 5
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
