"""Orders that waited while the deployment changed to another provider: its default model makes them, or none."""

import pytest

from models import Generation
from settings import Settings
from tests.conftest import running
from tests.support.fakes.huggingface import ScriptedHuggingFace
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.huggingface_server import huggingface_settings
from tests.support.integrity import assert_invariants
from tests.support.video_orders import row_of, work


async def ordered_at_huggingface(settings: Settings) -> tuple[str, str]:
    """Order a picture that no worker takes, and return its id and model."""
    async with ScriptedHuggingFace() as fake:
        changes = {"profile": "studio", "signup_credits": 100, "database": settings.database}
        async with running(huggingface_settings(settings, fake, **changes), idle=True) as server:
            ada = await server.api.sign_up()
            (created,) = (await ada.create(prompt="A fox"))["generations"]
            return created["id"], (await row_of(created["id"])).requested_model or ""


@pytest.mark.any_database
async def test_default_model_of_the_new_provider_makes_what_waited(
    settings: Settings, scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    id, old_model = await ordered_at_huggingface(settings)
    async with running(scripted_settings.model_copy(update={"profile": "studio"}), idle=True) as server:
        await work(server.services)
        row = await row_of(id)
        assert (row.status, row.provider, row.requested_model) == ("COMPLETED", "openrouter", old_model)
        (call,) = openrouter.calls
        assert call.body["model"] == server.services.products.profile.models[0]
        await assert_invariants(server.services, all_ended=True)


@pytest.mark.any_database
async def test_what_no_model_can_make_any_more_is_refunded_before_any_call(
    settings: Settings, scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    id, _ = await ordered_at_huggingface(settings)
    async with running(scripted_settings.model_copy(update={"profile": "studio"}), idle=True) as server:
        await Generation.filter(id=id).update(duration_seconds=5, refund_policy="BEFORE_PROVIDER")
        await work(server.services)
        row = await row_of(id)
        assert (row.status, row.error_code, row.refunded, row.provider) == ("FAILED", "UNAVAILABLE", True, None)
        assert openrouter.calls == []
