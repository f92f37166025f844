"""The checkout of a development deployment: a page that says so, grants like a payment, and leads back to the app."""

import pytest

from settings import Settings
from tests.conftest import running
from tests.support.development_checkout import CHECKOUT
from tests.support.polar_store import lines


async def test_development_checkout_is_labelled_and_grants_the_same(settings: Settings) -> None:
    async with running(settings, idle=True) as found:
        ada = await found.api.sign_up()
        before = await ada.credits()
        for wanted in ({"package": "credits-50"}, {"plan": "basic"}):
            url = (await ada.one(CHECKOUT, input=wanted))["checkout"]["url"]
            page = await ada.http.get(url)
            assert "development" in page.text.lower()
            assert "default-src 'none'" in page.headers["content-security-policy"]
            assert ("$4.99" in page.text) is ("package" in wanted)
            for _ in range(2):
                assert (await ada.http.post(url)).status_code == 200
        assert await ada.credits() == before + 50 + 100
        assert (await ada.one("{ viewer { isMember } }"))["isMember"]
        assert (await ada.http.get("/checkout/chk_01h455vb4pex5vsknk084sn02q")).status_code == 404


@pytest.mark.any_database
async def test_development_checkout_leads_back_to_the_app(settings: Settings) -> None:
    async with running(settings, idle=True) as found:
        ada = await found.api.sign_up()
        app = found.settings.address
        wanted = {
            "package": "credits-50",
            "successUrl": f"{app}/credits/paid?from=/create&checkout={{CHECKOUT_ID}}",
            "cancelUrl": f"{app}/credits/canceled",
        }
        made = await ada.one(CHECKOUT, input=wanted)
        assert made["errors"] == []
        opened = made["checkout"]
        page = await ada.http.get(opened["url"])
        assert f'href="{app}/credits/canceled"' in page.text
        assert f"form-action 'self' {app}" in page.headers["content-security-policy"]
        for _ in range(2):  # a second time changes nothing
            answer = await ada.http.post(opened["url"], follow_redirects=False)
            assert answer.status_code == 303
            assert answer.headers["location"] == f"{app}/credits/paid?from=/create&checkout={opened['id']}"
        assert [line for line in await lines(ada) if line[0] == "PURCHASE"] == [("PURCHASE", 50)]

        # An address of another site, which only a forged link has, is not followed.
        page_address = opened["url"].partition("?")[0]
        evil = {"success_url": "https://evil.example.com/", "cancel_url": "https://evil.example.com/"}
        forged = await ada.http.get(page_address, params=evil)
        assert "evil" not in forged.text + forged.headers["content-security-policy"]
        assert (await ada.http.post(page_address, params=evil, follow_redirects=False)).status_code == 200
