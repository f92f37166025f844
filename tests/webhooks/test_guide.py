"""The receivers in docs/webhooks.md verify what the server signs, and nothing else."""

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.integrations.webhooks.signature import signed_headers
from tests.support.typescript import NODE, execute

GUIDE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
SECRET, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + "A" * 32
BODY = '{"type":"webhook.test","version":"1","timestamp":"2026-11-29T18:40:07Z","data":{"endpointId":"whk_é"}}'
RUN = """
import { verify } from "./receiver.ts";
const [secret, cases] = %s;
console.log(JSON.stringify(cases.map(([headers, body]) => {
  try { return verify(secret, headers, Buffer.from(body)).data.endpointId; } catch (error) { return error.message; }
})));
"""


def block(language: str) -> str:
    """Return the only code block of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    return str(found)


def headers(*secrets: str, seconds_ago: float = 0) -> dict[str, str]:
    """Return the headers of a request that was sent some seconds ago."""
    return signed_headers(secrets, "msg_1", datetime.fromtimestamp(time.time() - seconds_ago, UTC), BODY)


def cases() -> list[tuple[dict[str, str], str, bool]]:
    """Return headers, body, and whether the request is authentic."""
    return [
        (headers(SECRET), BODY, True),
        (headers(OTHER, SECRET), BODY, True),  # during a rotation
        (headers(OTHER), BODY, False),
        (headers(SECRET), BODY + " ", False),
        (headers(SECRET, seconds_ago=3600), BODY, False),
        (headers(SECRET, seconds_ago=-3600), BODY, False),
        (headers(SECRET) | {"webhook-id": "msg_2"}, BODY, False),
        (headers(SECRET) | {"webhook-timestamp": "soon"}, BODY, False),
        (headers(SECRET) | {"webhook-signature": "v1,"}, BODY, False),
    ]


def test_python_receiver_verifies_requests(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(compile(block("python"), "docs/webhooks.md", "exec"), names)  # noqa: S102 - our own document
    for given, body, is_authentic in cases():
        assert names["receive"](given, body.encode()) == (204 if is_authentic else 401), given
    assert "whk_é" in capsys.readouterr().out


async def test_typescript_receiver_verifies_requests(tmp_path: Path) -> None:
    (tmp_path / "receiver.ts").write_text(block("typescript"), encoding="utf-8")
    given = json.dumps([SECRET, [case[:2] for case in cases()]])
    (tmp_path / "run.mjs").write_text(RUN % given, encoding="utf-8")
    command = (str(NODE / "node"), "--experimental-strip-types", "--no-warnings", "run.mjs")
    code, out = await execute(tmp_path, *command)
    assert code == 0, out
    found = json.loads(out)
    assert [answer == "whk_é" for answer in found] == [is_authentic for _, _, is_authentic in cases()], out
