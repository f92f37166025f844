"""`main.py reset-second-factor`, for users who have lost the app and the recovery codes."""

import pytest

from commands.second_factor import execute
from main import parse_arguments
from models import AuditEntry, RecoveryCode, SecondFactor, User
from tests.accounts.test_second_factor import ADMIN, sign_in
from tests.conftest import Running
from tests.support.authenticator_app import VERIFY, set_up
from tests.support.integrity import make_admin


async def test_operator_removes_a_second_factor(idle_server: Running, capsys: pytest.CaptureFixture[str]) -> None:
    async def reset(email: str) -> tuple[int, str, str]:
        arguments = parse_arguments(["reset-second-factor", email])
        assert arguments.command == "reset-second-factor"
        capsys.readouterr()
        code = await execute(idle_server.services, arguments)
        found = capsys.readouterr()
        return code, found.out.splitlines()[-1] if found.out else "", found.err

    admin = await make_admin(idle_server.api)
    app = await set_up(admin)
    other = await sign_in(admin)
    async with other.socket() as socket:
        assert "SECOND_FACTOR_REQUIRED" in str(await (await socket.subscribe(ADMIN)).message())
        version = (await User.get(id=app.user_id)).version
        assert (await reset("Admin@Example.com"))[:2] == (0, "The second factor of Admin@Example.com is removed.")
        assert (await (await socket.subscribe(ADMIN)).next())["users"], "it is optional, at once"
    assert [await SecondFactor.all().count(), await RecoveryCode.all().count()] == [0, 0]
    assert (await User.get(id=app.user_id)).version == version + 1
    entry = (await AuditEntry.all().order_by("id"))[-1]
    assert (entry.action, entry.actor_id, entry.target) == ("DISABLE_SECOND_FACTOR", None, app.user_id)
    assert entry.detail == {"by": "OPERATOR"}

    assert (await reset("admin@example.com"))[:2] == (0, "admin@example.com has no second factor.")
    assert await AuditEntry.all().count() == 2
    code, _, problem = await reset("eve@example.com")
    assert (code, problem.strip()) == (1, "No account has the address eve@example.com.")
    assert (await other.refused(VERIFY, code=app.recovery[0]))["code"] == "INVALID_INPUT"
