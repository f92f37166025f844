"""What all campaigns ask for: dice that fall the same way again."""

import random
import secrets

import pytest


@pytest.fixture(scope="module")
def seed(pytestconfig: pytest.Config) -> int:
    """Chosen by --seed, so that a campaign can be repeated."""
    chosen = pytestconfig.getoption("--seed")
    return secrets.randbelow(10**6) if chosen is None else int(chosen)


@pytest.fixture
def dice(request: pytest.FixtureRequest, seed: int) -> random.Random:
    """Of one campaign or drill; pytest shows the seed when it fails."""
    print(f"\n{request.node.name}: --seed {seed}")  # noqa: T201 - part of the report
    return random.Random(f"{seed} {request.node.name}")
