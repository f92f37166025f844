"""The operations of docs/api.md, and a runner that executes them in order as their text describes."""

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from graphql import OperationDefinitionNode, parse

from models import Collection, User
from models.enum import Role
from services.services import Services
from tests.support.authenticator_app import App
from tests.support.bus_subscribers import first_activity_event
from tests.support.client import Api, photo, until
from tests.support.fakes.identity_provider import IdentityProvider
from tests.support.fakes.polar_wire import order
from tests.support.integrity import adjust_credits
from tests.support.mail_server import Mailbox
from tests.support.named_lists import tag_ids
from tests.support.polar_store import FIFTY, deliver

GUIDE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
EMAIL_CHANGE = """mutation($input: RequestEmailChangeInput!) {
  requestEmailChange(input: $input) { sent errors { code } }
}"""
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { token } }"
SIGN_IN_LINK = "mutation($email: String!) { requestSignInLink(email: $email) { sent errors { code } } }"
SESSIONS = "{ viewer { sessions { id isCurrent } } }"
# Operations whose token is not one of the guide's account.
OTHER_ACCOUNTS = {"SignUpByMail", "SignInByLink", "CreateGuest", "CreateMergeToken", "SignInWithIdToken"}
STYLE = "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } errors { code } } }"


@dataclass(frozen=True)
class Operation:
    """One operation of the guide, with the variables below it."""

    name: str
    kind: str
    text: str
    variables: dict[str, Any]


def operations() -> Iterator[Operation]:
    pattern = r"^```graphql\n(.*?)^```$(?:\n\n^```json\n(.*?)^```$)?"
    for text, variables in re.findall(pattern, GUIDE, re.MULTILINE | re.DOTALL):
        (definition,) = parse(text).definitions
        assert isinstance(definition, OperationDefinitionNode)
        assert definition.name is not None, text
        yield Operation(
            definition.name.value, definition.operation.value, text, json.loads(variables) if variables else {}
        )


@dataclass
class GuideRunner:
    """Runs the operations from top to bottom on an idle server; every one must succeed.

    Placeholders such as `sty_...` become ids of earlier responses. What an operation needs that the ones before it do
    not leave behind, such as a link that was mailed, is made by its preparation.
    """

    api: Api
    services: Services
    mailbox: Mailbox
    known: dict[str, str] = field(default_factory=dict)  # by prefix, the newest id that was unambiguous
    responses: dict[str, Any] = field(default_factory=dict)  # the root field's value, by operation name
    other: Api | None = None  # of another account
    account: Api | None = None  # the guide's, while a guest makes an operation
    provider: IdentityProvider | None = None

    async def run(self, operation: Operation) -> None:
        before = dict(self.known)
        own = PREPARATIONS.get(operation.name)
        changes = await own(self) if own else {}
        variables = json.loads(re.sub(r"\b([a-z]{3})_\.\.\.", self._id, json.dumps(operation.variables)))
        if "input" in changes:
            changes["input"] = {**variables["input"], **changes["input"]}
        value = await self._execute(operation, {**variables, **changes})
        for kind in ("sty", "upl", "gen", "key", "usr", "whk", "whd", "alb"):
            ids = set(re.findall(rf'"({kind}_[0-9a-z]{{26}})"', json.dumps(value)))
            if len(ids) == 1:
                self.known[kind] = ids.pop()
        if own:
            self.known = before
        self.responses[operation.name] = value
        if operation.name == "CreateUpload":  # the upload that the text below it describes
            data = photo().ljust(variables["input"]["byteSize"], b"\0")  # zeros after a JPEG's end mean nothing
            assert (await self.api.http.post(value["upload"]["url"], files={"file": data})).status_code == 204
        if not isinstance(value, dict):
            return
        if operation.kind == "mutation":
            assert (value.get("errors") or []) == [], (operation.name, value)
            await self.process(value)
        if value.get("token") and operation.name not in OTHER_ACCOUNTS:
            self.api.token = value["token"]
        if "sessionsEnded" in value:
            self.api.token = None

    async def process(self, value: dict[str, Any]) -> None:
        """Do the work of new generations, which later operations need completed."""
        for generation in value.get("generations") or []:
            if generation.get("status") == "PENDING":
                await self.services.generations.worker.process(generation["id"])

    async def create(self, **input: Any) -> str:
        """Create a generation of the guide's account; return its id."""
        made = await self.api.create(**input)
        assert made["errors"] == []
        return str(made["generations"][0]["id"])

    async def other_account(self) -> Api:
        if self.other is None:
            self.other = await self.api.sign_up("bob@example.com")
        return self.other

    async def mailed_token(self, page: str) -> str:
        """Wait for a mail with a link to `page`; return the newest token."""
        found: list[str] = []

        async def has_come() -> bool:
            texts = [mail.get_content() for mail in self.mailbox.mails]
            found[:] = [match[1] for text in texts if (match := re.search(rf"/{page}\?token=([\w-]{{43}})\n", text))]
            return bool(found)

        await until(has_come)
        return found[-1]

    def _id(self, placeholder: re.Match[str]) -> str:
        return self.known[placeholder[1]]

    async def _execute(self, operation: Operation, variables: dict[str, Any]) -> Any:
        if operation.kind == "subscription" or operation.name == "RenewConnection":
            return await self._listen(operation, variables)
        files = {"input.image": photo()} if "image" in variables.get("input", {}) else None
        return await self.api.one(operation.text, files, **variables)

    async def _listen(self, operation: Operation, variables: dict[str, Any]) -> Any:
        async with self.api.socket() as socket:
            stream = await socket.subscribe(operation.text, **variables)
            if operation.name == "AdminActivity":  # has no opening message
                return await first_activity_event(stream, self.services)
            # Subscriptions but GenerationProgress never end.
            return (await stream.rest())[-1] if operation.name == "GenerationProgress" else await stream.next()


async def _id_token(guide: GuideRunner) -> dict[str, Any]:
    nonce = guide.responses["CreateSignInNonce"]["nonce"]
    if "SignInWithIdToken" in guide.responses:  # it works once
        nonce = (await guide.api.one("mutation { createSignInNonce { nonce } }"))["nonce"]
    assert guide.provider is not None
    subject = f"user-{len(guide.responses)}"  # another one each time
    return {"input": {"idToken": guide.provider.token(sub=subject, nonce=nonce), "nonce": nonce}}


async def _own_identity(guide: GuideRunner) -> dict[str, Any]:
    return {"id": guide.responses["Identities"]["identities"][0]["id"]}


async def _newer_token(guide: GuideRunner) -> dict[str, Any]:
    return {"token": guide.api.token}


async def _verification_link(guide: GuideRunner) -> dict[str, Any]:
    return {"token": await guide.mailed_token("verify-email")}


async def _password_link(guide: GuideRunner) -> dict[str, Any]:
    return {"token": await guide.mailed_token("reset-password")}


async def _email_link(guide: GuideRunner) -> dict[str, Any]:
    """The link of another account: the guide's own keeps its address, by which later operations find it."""
    other = await guide.other_account()
    asked = {"email": "bob@lovelace.example.com", "password": "correct horse"}
    assert (await other.one(EMAIL_CHANGE, input=asked))["errors"] == []

    async def has_come() -> bool:
        return any(mail["To"] == asked["email"] for mail in guide.mailbox.mails)

    await until(has_come)
    (mail,) = (mail for mail in guide.mailbox.mails if mail["To"] == asked["email"])
    (token,) = re.findall(r"/change-email\?token=([\w-]{43})\n", mail.get_content())
    return {"token": token}


async def _sign_in_link(guide: GuideRunner) -> dict[str, Any]:
    """The link of another account, which is verified: else it would end the account's password and session."""
    await (await guide.other_account()).verify_address()
    assert (await guide.api.one(SIGN_IN_LINK, email="bob@example.com"))["errors"] == []
    found: list[str] = []

    async def has_come() -> bool:
        mails = [mail for mail in guide.mailbox.mails if mail["To"] == "bob@example.com"]
        found[:] = [
            token for mail in mails for token in re.findall(r"/sign-in\?token=([\w-]{43})\n", mail.get_content())
        ]
        return bool(found)

    await until(has_come)
    return {"input": {"token": found[-1]}}


async def _other_session(guide: GuideRunner) -> dict[str, Any]:
    password = {"email": "ada@example.com", "password": "correct horse battery"}
    assert (await guide.api.one(SIGN_IN, input=password))["token"]
    (other, *_) = [each for each in (await guide.api.one(SESSIONS))["sessions"] if not each["isCurrent"]]
    return {"id": other["id"]}


async def _guest(guide: GuideRunner) -> dict[str, Any]:
    """A guest makes the token: the guide's account is none."""
    guide.account = guide.api
    made = await guide.api.one("mutation { createGuest { token user { id } } }")
    guide.api = replace(guide.api, token=made["token"], user=made["user"])
    return {}


async def _merge_token(guide: GuideRunner) -> dict[str, Any]:
    assert guide.account is not None
    guide.api = guide.account
    return {"token": guide.responses["CreateMergeToken"]["token"]}


async def _nothing(guide: GuideRunner) -> dict[str, Any]:
    """Nothing, but what the operation returns is another account's, and so not what later ones name."""
    return {}


async def _waiting_generation(guide: GuideRunner) -> dict[str, Any]:
    return {"id": await guide.create(prompt="A fox")}


async def _canceled_generation(guide: GuideRunner) -> dict[str, Any]:
    return {"id": guide.responses["CancelGeneration"]["generation"]["id"]}


async def _earlier_result(guide: GuideRunner) -> dict[str, Any]:
    """A collection that offers reuse, as no shipped profile does, and the result of the same request."""
    await Collection.filter(slug="sandbox").update(reuse_share=0.25)
    await adjust_credits(guide.responses["SignUp"]["user"]["id"], 2, "a generation and its reuse")
    made = await guide.create(prompt="A fox in the snow", aspectRatio="3:2")
    await guide.services.generations.worker.process(made)
    return {}


async def _credits(guide: GuideRunner) -> dict[str, Any]:
    await adjust_credits(guide.responses["SignUp"]["user"]["id"], 20, "two more generations")
    return {}


async def _own_tag(guide: GuideRunner) -> dict[str, Any]:
    (guide.known["tag"],) = (await tag_ids(guide.api)).values()
    return {}


async def _own_style_and_image(guide: GuideRunner) -> dict[str, Any]:
    """A style and an image: the guide has deleted its own before."""
    style = await guide.api.one(STYLE, input={"title": "Fog", "prompt": "A street in the fog."})
    await adjust_credits(guide.responses["SignUp"]["user"]["id"], 1, "an image for a style")
    made = await guide.create(prompt="Fog over a street")
    await guide.services.generations.worker.process(made)
    return {"input": {"styleId": style["style"]["id"], "generationId": made}}


async def _open_review(guide: GuideRunner) -> dict[str, Any]:
    event = await deliver(guide.api, "order.paid", order(None, FIFTY))
    return {"id": event.id}


async def _reviews(guide: GuideRunner) -> dict[str, Any]:
    await _open_review(guide)
    return {}


def _app(guide: GuideRunner) -> App:
    return App("", guide.responses["StartSecondFactor"]["secret"], [])


async def _first_code(guide: GuideRunner) -> dict[str, Any]:
    return {"code": _app(guide).code()}


async def _recovery_code(guide: GuideRunner) -> dict[str, Any]:
    return {"code": guide.responses["ConfirmSecondFactor"]["recoveryCodes"][0]}


async def _next_code(guide: GuideRunner) -> dict[str, Any]:
    return {"code": _app(guide).code(ahead=1)}


async def _other_account(guide: GuideRunner) -> dict[str, Any]:
    """Another account: no admin changes the own role, and none suspends itself."""
    return {"userId": (await guide.other_account()).user["id"]}


PREPARATIONS: dict[str, Callable[[GuideRunner], Awaitable[dict[str, Any]]]] = {
    "SignInWithIdToken": _id_token,
    "LinkIdentity": _id_token,
    "UnlinkIdentity": _own_identity,
    "RenewConnection": _newer_token,
    "VerifyEmail": _verification_link,
    "ResetPassword": _password_link,
    "ChangeEmail": _email_link,
    "SignInByLink": _sign_in_link,
    "CreateGuest": _nothing,
    "CreateMergeToken": _guest,
    "MergeGuest": _merge_token,
    "RevokeSession": _other_session,
    "CancelGeneration": _waiting_generation,
    "ReuseResult": _earlier_result,
    "RenameTag": _own_tag,
    "SetStylePicture": _own_style_and_image,
    "AdminRetryGeneration": _canceled_generation,
    "AdminPaymentReviews": _reviews,
    "AdminSettlePayment": _open_review,
    "AdminDismissPayment": _open_review,
    "ConfirmSecondFactor": _first_code,
    "VerifySecondFactor": _recovery_code,
    "RemoveSecondFactor": _next_code,
    "AdminSetRole": _other_account,
    "AdminSetSuspended": _other_account,
}


async def run_guide(guide: GuideRunner) -> None:
    """Run every operation; from those for admins on, the account is a super admin."""
    for operation in operations():
        if operation.name == "Regenerate":  # the sign-up bonus is spent by then
            await _credits(guide)
        if operation.name.startswith("Admin"):
            await User.filter(id=guide.responses["SignUp"]["user"]["id"]).update(role=Role.SUPER_ADMIN)
            # The last one is deleted by then.
            guide.known["gen"] = guide.responses["CreateGeneration"]["generations"][0]["id"]
        await guide.run(operation)
