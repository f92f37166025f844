"""Pictures whose decoding the test holds and ends, with the child program that decodes them."""

from pathlib import Path

SCRIPTED_CHILD = Path(__file__).with_name("scripted_child.py")


def held(gate: Path) -> bytes:
    """Return a picture whose decoding lasts until `release` of the same gate."""
    return b"HOLD" + str(gate).encode()


def holding(gate: Path) -> list[str]:
    """Return the ids of the child processes that hold a picture of the gate."""
    return [path.suffix for path in gate.parent.glob(f"{gate.name}.*")]


def release(gate: Path, reason: str) -> None:
    """End the decoding of the gate's pictures, also of later ones; they are refused for `reason`, a BadImage."""
    temporary = gate.with_name(f"-{gate.name}")
    temporary.write_text(reason)
    temporary.rename(gate)
