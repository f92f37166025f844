"""DEMO_MODE=on: requests without a token are those of the demo account, and nothing else changes."""

from dataclasses import replace

import pytest

from services.accounts.user import DEMO_EMAIL
from setting_types import Environment, Switch
from settings import Settings, SettingsError, load_settings
from tests.conftest import running
from tests.support.client import CREDITS, Api

pytestmark = pytest.mark.any_database

VIEWER = "{ viewer { email isMember } }"
DEMO = {"email": DEMO_EMAIL, "isMember": True}


async def test_requests_and_sockets_without_token_are_the_demo_account(settings: Settings) -> None:
    async with running(settings.model_copy(update={"demo_mode": Switch.ON})) as server:
        api = server.api
        assert await api.one(VIEWER) == DEMO
        stale = await api.raw(VIEWER, headers={"cookie": "darkroom_session=stale"})
        assert stale.json()["data"]["viewer"] == DEMO
        async with api.socket() as socket:
            assert (await (await socket.subscribe(CREDITS)).next())["credits"] >= 0
            assert await (await socket.subscribe(VIEWER)).next() == DEMO
        ada = await replace(api).sign_up("ada@example.com")
        assert (await ada.one(VIEWER))["email"] == "ada@example.com"
        assert not await Api(api.http, api.address, "wrong").is_signed_in(), "a token that was sent is not replaced"
        assert await api.one("mutation { signOut { sessionsEnded } }") == {"sessionsEnded": 1}
        assert await api.one(VIEWER) == DEMO, "the next request opens another session"


def test_demo_mode_is_refused_in_production() -> None:
    with pytest.raises(SettingsError, match="DEMO_MODE signs everyone in as the demo account"):
        load_settings(environment=Environment.PRODUCTION, demo_mode=Switch.ON, secret_key="x" * 32)
