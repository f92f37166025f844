"""The attackers' process: runs attacks one after another, and prints for each what the server answered, as JSON.

    python -m tests.campaigns.attacker ADDRESS SECONDS SEED NAME...

It is a process of its own, so that its work delays none of the measured requests but through the server.
"""

import asyncio
import json
import random
import resource
import sys

from tests.campaigns import attack_accounts, attack_connections, attack_documents, attack_pictures, attack_sockets
from tests.campaigns.attack import Attack, Target

ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for module in (attack_accounts, attack_connections, attack_documents, attack_pictures, attack_sockets)
    for attack in module.ATTACKS
}


async def run(address: str, seconds: float, seed: str, names: list[str]) -> None:
    for name in names:
        async with Target.open(address, seconds, random.Random(f"{seed} {name}")) as target:
            await ATTACKS[name](target)
        print(json.dumps([name, target.outcomes]), flush=True)  # noqa: T201 - read by tests/campaigns/test_attack.py


if __name__ == "__main__":
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))  # for the attacks by connections
    asyncio.run(run(sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4:]))
