"""Benchmark: looking for the earlier result of a request, in an account that keeps as many generations as it may.

All of them are of one style, so that the index by style leaves out none: the worst case. On PostgreSQL and SQLite.
"""

import argparse
import asyncio
import tempfile
from pathlib import Path

import tests.support.factories as example
from benchmarks.measure import median_ms, postgres
from models import Style
from models.database.connection import open_database, rows
from models.database.migrate import migrate
from models.enum import MediaKind, Quality, Size
from services.generations.reuse.earlier_result import find_source
from services.generations.specification import GenerationSpec
from tests.support.factories import insert

_ROUNDS, _WARMING = 30, 5
_PROMPT = "A plush toy of the main subject of the photo, " * 12  # about as long as those of the shipped styles
_MODEL = "demo"
_MANY = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
INSERT INTO generations ({columns}) SELECT {values} FROM n, (SELECT * FROM generations WHERE id = $1) AS g"""


async def fill(number: int) -> tuple[str, str]:
    """Create an account with completed generations of one style, and return the ids of both."""
    owner = (await insert("users", example.user()))["id"]
    series = (await insert("collections", example.collection()))["id"]
    style = (await insert("styles", example.style(series)))["id"]
    result = (await insert("files", example.file(owner, kind="RESULT")))["id"]
    done = {"status": "COMPLETED", "stage": "COMPLETED", "completed_at": example.NOW, "result_id": result}
    done |= {"full_prompt": _PROMPT, "requested_model": _MODEL}
    first = await insert("generations", example.generation(owner, style_id=style, **done))
    names = list(first)
    values = [{"id": "'gen_' || n.i", "full_prompt": "g.full_prompt || n.i"}.get(name, f'g."{name}"') for name in names]
    columns = ", ".join(f'"{name}"' for name in names)
    await rows(_MANY.format(columns=columns, values=", ".join(values)), first["id"], number)
    await rows("ANALYZE")
    return owner, style


async def measure(url: str, number: int) -> None:
    """Print the medians in one database."""
    await migrate(url)
    async with open_database(url):
        owner, style_id = await fill(number)
        style = await Style.get(id=style_id)
        for name, prompt in (("found", f"{_PROMPT}{number // 2}"), ("none", _PROMPT + "other")):
            spec = spec_of(style, prompt)

            async def look(spec: GenerationSpec = spec) -> object:
                return await find_source(owner, spec, None)

            if bool(await look()) != (name == "found"):
                raise RuntimeError("the look-up has another result")
            print(f"{url.partition(':')[0]:10} {name:6} {await median_ms(look, _ROUNDS, _WARMING):6.2f} ms")


def spec_of(style: Style, full_prompt: str) -> GenerationSpec:
    """Return a request without a text of the user, for the model of all generations above."""
    return GenerationSpec(
        style=style,
        prompt=None,
        full_prompt=full_prompt,
        variables={},
        size=Size.MEDIUM,
        quality=Quality.STANDARD,
        aspect_ratio=None,
        media=MediaKind.IMAGE,
        model=_MODEL,
        count=1,
        cost=1,
        lower_costs={},
        priority=0,
    )


def main() -> None:
    """Measure on both databases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generations", type=int, default=10_000)
    number = parser.parse_args().generations
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(f"sqlite://{Path(folder) / 'reuse.sqlite3'}", number))
    with postgres() as url:
        asyncio.run(measure(url, number))


if __name__ == "__main__":
    main()
