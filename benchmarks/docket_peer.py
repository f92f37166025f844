"""docket as a peer of the generations benchmark, in an environment of its own, if pip can install it."""

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from benchmarks.life_process import LifeTask
from benchmarks.measure import ROOT
from tests.support import factories
from tests.support.factories import NOW, Row

LOCK = ROOT / "requirements" / "peers.lock"
PROGRAM = "benchmarks/peers/docket_loop.py"
FOLDER = Path(sys.prefix) / "benchmark-docket"  # beside the Python packages, so that `make clean` removes it
PYTHON = FOLDER / "bin" / "python"
INSTALL_SECONDS = 180


@dataclass(frozen=True)
class DocketTask(LifeTask):
    """The same task, with the statements to run."""

    sql: dict[str, str] | None = None


def install() -> str | None:
    """Install docket as locked, once; return why that is not possible, or None."""
    installed = FOLDER / ".installed"
    if installed.exists() and installed.read_bytes() == LOCK.read_bytes():
        return None
    venv.create(FOLDER, with_pip=True, clear=True)
    pip: list[str | Path] = [
        PYTHON,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
    ]
    try:
        subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", LOCK], check=True, timeout=INSTALL_SECONDS)  # noqa: S603 - our own command
    except (subprocess.SubprocessError, OSError) as error:
        return f"pip cannot install it ({type(error).__name__})"
    installed.write_bytes(LOCK.read_bytes())
    return None


def _insert(table: str, row: Row, parameters: dict[str, str]) -> str:
    """Return an INSERT of a row whose values are constants but for the parameters."""
    values = []
    for name, value in row.items():
        if name in parameters:
            values.append(parameters[name])
        elif value is NOW:
            values.append("now()")
        else:
            values.append(f"'{value}'")
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(values)})"  # noqa: S608 - constants


def statements() -> dict[str, str]:
    """Return the steps on Darkroom's tables; a docket product would have the same rows."""
    generation = factories.generation("-", search_text="a fox in the rain")
    line = factories.ledger_line("-", 1)
    line |= {"type": "DEDUCTION", "amount": -1, "generation_id": "-"}
    numbers = {"id": "$1", "user_id": "$2", "sequence": "$3", "balance": "$4", "account_version": "$5"}
    return {
        "spend": "UPDATE users SET credits = credits - 1, version = version + 1, ledger_sequence = ledger_sequence + 1"
        " WHERE id = $1 AND credits >= 1 RETURNING credits, version, ledger_sequence",
        "insert": _insert("generations", generation, {"id": "$1", "user_id": "$2"}),
        "line": _insert("credit_transactions", line, numbers | {"reference": "$6", "generation_id": "$7"}),
        "claim": "UPDATE generations SET status = 'PROCESSING', stage = 'GENERATING', version = version + 1,"
        " attempts = 1, fence = 1, started_at = now(), lease_until = now() + interval '1 minute', worker = 'docket',"
        " provider_calls = 1, provider_called_at = now() WHERE id = $1 AND status = 'PENDING'",
        "bump": "UPDATE users SET version = version + 1 WHERE id = $1",
        "file": _insert("files", factories.file("-", kind="RESULT"), {"id": "$1", "owner_id": "$2"}),
        "complete": "UPDATE generations SET status = 'COMPLETED', stage = 'COMPLETED', progress = 1, result_id = $2,"
        " version = version + 1, completed_at = now(), lease_until = NULL, worker = NULL"
        " WHERE id = $1 AND status = 'PROCESSING'",
    }
