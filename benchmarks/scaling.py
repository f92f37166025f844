"""Simulation: what gives way first at 1, 10, 100 and 1,000 times a load, from the costs in benchmarks/costs.json.

Users arrive at random (Poisson) at the busiest hour's rates. Each simulated second is charged with what the pages,
generations, deliveries and subscribers in it cost; printed is the 99th percentile of the seconds. Server and worker
processes are added as needed. What cannot simply be added, because there is one of it, gives way: PostgreSQL's cores,
its WAL and its connections, and Redis, which uses one core.
"""

import argparse
import json
import random
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

COSTS = Path(__file__).with_name("costs.json")
PAGE = Path(__file__).parents[1] / "docs/scaling.md"
SECONDS = 600  # simulated
FULL = 0.7  # of a resource: above that, waits grow quickly
FACTORS = (1, 10, 100, 1000)
_DAY_HOURS = 10  # of the busiest hour's load that a day has in all


@dataclass(frozen=True)
class Load:
    """The busiest hour of today, per second, and its users."""

    pages: float = field(default=20.0, metadata={"help": "real gallery pages per second"})
    generations: float = field(default=2.0, metadata={"help": "generations per second"})
    subscribers: float = field(default=500.0, metadata={"help": "open subscriptions"})
    photos: float = field(default=0.5, metadata={"help": "share of generations with a new photo of 12 megapixels"})
    messages: float = field(default=10.0, metadata={"help": "messages that a generation publishes"})
    listeners: float = field(default=1.5, metadata={"help": "subscribers that receive each message"})
    provider_seconds: float = field(default=12.0, metadata={"help": "of the provider per generation"})


@dataclass(frozen=True)
class Machines:
    """What one deployment has, before it is changed as docs/scaling.md says."""

    database_cores: float = field(default=16.0, metadata={"help": "cores of PostgreSQL"})
    wal_mb: float = field(default=200.0, metadata={"help": "MB of WAL per second that its disk writes"})
    database_connections: float = field(default=500.0, metadata={"help": "max_connections of PostgreSQL"})
    server_pool: float = field(default=10.0, metadata={"help": "DATABASE_POOL_SIZE of a server process"})
    worker_pool: float = field(default=5.0, metadata={"help": "DATABASE_POOL_SIZE of a worker process"})
    sockets: float = field(default=10_000.0, metadata={"help": "MAX_CONNECTIONS, per process"})
    worker_slots: float = field(default=8.0, metadata={"help": "WORKER_CONCURRENCY, per process"})


Costs = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Second:
    """What one simulated second needs: cores, bytes and processes."""

    server_cores: float
    worker_cores: float
    picture_cores: float
    database_cores: float
    redis_cores: float
    wal_mb: float
    in_progress: float  # generations that wait for the provider


@dataclass(frozen=True)
class Need:
    """What a load needs at the 99th percentile of seconds: the shares of what there is one of, and the rest."""

    shares: dict[str, float]
    server_processes: int
    worker_processes: int
    picture_cores: float
    terabytes_per_month: float
    rows_per_year: float

    @property
    def first(self) -> str:
        """The resources that give way, the first one first."""
        ordered = sorted(self.shares, key=lambda resource: -self.shares[resource])
        return ", then ".join(name for name in ordered if self.shares[name] > FULL) or "nothing"


def poisson(rng: random.Random, mean: float) -> float:
    """Draw a number of arrivals; for a large mean by the normal distribution, which is close."""
    if mean > 50:
        return max(0.0, rng.gauss(mean, mean**0.5))
    number, limit, product = 0, 2.718281828459045**-mean, rng.random()
    while product > limit:
        number, product = number + 1, product * rng.random()
    return float(number)


def second(rng: random.Random, load: Load, costs: Costs) -> Second:
    """Simulate one second."""
    pages, generations = poisson(rng, load.pages), poisson(rng, load.generations)
    photos = poisson(rng, load.generations * load.photos)
    messages = generations * load.messages
    deliveries = messages * load.listeners
    page, generation, picture = costs["page"], costs["generation"], costs["picture"]
    quiet = load.subscribers * costs["subscriber"]["server_ms_per_second"]
    server = pages * page["server_ms"] + generations * generation["server_ms"] + quiet
    return Second(
        server_cores=(server + deliveries * costs["delivery"]["server_ms"]) / 1000,
        worker_cores=generations * generation["worker_ms"] / 1000,
        picture_cores=(photos * picture["photo_ms"] + generations * picture["result_ms"]) / 1000,
        database_cores=(pages * page["database_ms"] + generations * generation["database_ms"]) / 1000,
        redis_cores=(generations * generation["redis_ms"] + deliveries * costs["delivery"]["redis_ms"]) / 1000,
        wal_mb=generations * generation["wal_bytes"] / 1e6,
        in_progress=poisson(rng, load.generations * load.provider_seconds),
    )


def percentile(values: list[float]) -> float:
    """Return the 99th percentile."""
    return sorted(values)[int(len(values) * 0.99)]


def simulate(load: Load, machines: Machines, costs: Costs, seed: int = 0) -> Need:
    """Simulate the seconds of a load, and return what it needs."""
    rng = random.Random(seed)
    seconds = [second(rng, load, costs) for _ in range(SECONDS)]
    peak = {name.name: percentile([getattr(one, name.name) for one in seconds]) for name in fields(Second)}
    servers = max(1, -(-peak["server_cores"] // FULL), -(-load.subscribers // (machines.sockets * FULL)))
    workers = max(1, -(-peak["in_progress"] // machines.worker_slots), -(-peak["worker_cores"] // FULL))
    kept = costs["picture"]["result_bytes"] + costs["picture"]["photo_bytes"] * load.photos
    per_day = load.generations * 3600 * _DAY_HOURS
    return Need(
        shares={
            "PostgreSQL CPU": peak["database_cores"] / machines.database_cores,
            "PostgreSQL WAL": peak["wal_mb"] / machines.wal_mb,
            "PostgreSQL connections": (servers * machines.server_pool + workers * machines.worker_pool)
            / machines.database_connections,
            "Redis CPU": peak["redis_cores"],
        },
        server_processes=int(servers),
        worker_processes=int(workers),
        picture_cores=peak["picture_cores"],
        terabytes_per_month=(kept + costs["generation"]["row_bytes"]) * per_day * 30 / 1e12,
        rows_per_year=per_day * 365,
    )


def times(load: Load, factor: float) -> Load:
    """Return `factor` times as many users, who do the same."""
    return replace(
        load,
        pages=load.pages * factor,
        generations=load.generations * factor,
        subscribers=load.subscribers * factor,
    )


def table(needs: dict[float, Need]) -> str:
    """Return one column per factor."""
    lines: dict[str, list[str]] = {}
    for need in needs.values():
        cells = {name: f"{share:.0%}" for name, share in need.shares.items()}
        cells["server processes"] = f"{need.server_processes:,}"
        cells["worker processes"] = f"{need.worker_processes:,}"
        cells["cores that decode and encode pictures"] = f"{need.picture_cores:,.1f}"
        cells["new TB per month"] = f"{need.terabytes_per_month:,.1f}"
        cells["generations per year"] = f"{need.rows_per_year:,.0f}"
        cells["gives way"] = need.first
        for name, cell in cells.items():
            lines.setdefault(name, []).append(cell)
    head = ["| at the busiest hour | " + " | ".join(f"{factor:g} x" for factor in needs) + " |"]
    head.append("| --- |" + " ---: |" * len(needs))
    return "\n".join(head + [f"| {name} | {' | '.join(cells)} |" for name, cells in lines.items()])


def limits(load: Load, machines: Machines, costs: Costs) -> str:
    """Return the rate of one kind of work at which each resource gives way, if it does nothing else."""
    page, generation, picture = costs["page"], costs["generation"], costs["picture"]
    redis = generation["redis_ms"] + load.messages * load.listeners * costs["delivery"]["redis_ms"]
    wal = machines.wal_mb * 1e6 / generation["wal_bytes"]
    per_core = 1000 / (picture["result_ms"] + load.photos * picture["photo_ms"])
    database = machines.database_cores * 1000 / generation["database_ms"]
    rows = {
        "a server's core": f"{FULL * 1000 / page['server_ms']:,.0f} pages a second",
        "a core for pictures": f"{FULL * per_core:,.1f} generations a second",
        "PostgreSQL's CPU": f"{FULL * database:,.0f} generations a second",
        "PostgreSQL's WAL": f"{FULL * wal:,.0f} generations a second",
        "Redis": f"{FULL * 1000 / redis:,.0f} generations a second",
    }
    lines = [
        "| one kind of work alone | gives way at |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in rows.items()),
    ]
    return "\n".join(lines)


def markdown(load: Load, machines: Machines, costs: Costs) -> tuple[str, str]:
    """Return the two tables of docs/scaling.md."""
    needs: dict[float, Need] = {factor: simulate(times(load, factor), machines, costs) for factor in FACTORS}
    return table(needs), limits(load, machines, costs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write both tables into docs/scaling.md as well")
    for kind in (Load, Machines):
        for one in fields(kind):
            parser.add_argument(f"--{one.name.replace('_', '-')}", type=float, default=one.default, **one.metadata)
    options = vars(parser.parse_args())
    load = Load(**{one.name: options[one.name] for one in fields(Load)})
    machines = Machines(**{one.name: options[one.name] for one in fields(Machines)})
    found = json.loads(COSTS.read_text())
    print(f"costs of {found.pop('measured')}\n")
    tables = markdown(load, machines, found)
    print("\n\n".join(tables))
    if options["write"]:
        text = PAGE.read_text()
        for made in tables:
            head = made.partition("\n")[0]
            before, _, rest = text.partition(head)
            text = before + made + "\n\n" + rest.partition("\n\n")[2]
        PAGE.write_text(text)


if __name__ == "__main__":
    main()
