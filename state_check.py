"""Lines of `main.py check` about what all processes share: workers, clocks, pauses, calls of providers, the audit."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from models.database.connection import database_time, open_database
from models.enum import MediaKind
from provider_adapters import call_deadlines, make_route_tables
from services.integrations.providers.route_table import RouteTable
from services.operations.provider_pause import Pause, paused_models, read_pauses
from services.operations.providers.recent_calls import SLOW, WINDOW, RecentCalls, read_recent_calls
from services.operations.self_check import AuditResult, newest_audit
from services.operations.worker_registry import Worker, WorkerRegistry
from settings import Settings

_MOST_SKEW = 2.0  # seconds between two clocks
_OLD_AUDIT = 3 * 3600.0  # seconds, after which DarkroomAuditStale fires as well


async def state_lines(settings: Settings) -> list[str]:
    """Return the lines about workers, providers and the last audit, as the tables have them."""
    async with open_database(settings.database):
        registry = WorkerRegistry(settings.generation_sweep_seconds)
        before, database, after = datetime.now(UTC), await database_time(), datetime.now(UTC)
        skew = ((before + (after - before) / 2) - database).total_seconds()
        pauses = await read_pauses()
        return [
            *workers_lines(settings, await registry.workers(), await registry.lost()),
            *clock_lines(skew),
            *paused_lines(pauses, make_route_tables(settings)),
            *calls_lines(await read_recent_calls(call_deadlines(settings))),
            audit_line(await newest_audit(), database),
        ]


def workers_lines(settings: Settings, workers: Sequence[Worker], lost: int = 0) -> list[str]:
    """Return the lines about the processes that make what is ordered. `lost`: they neither report nor have stopped."""
    lines = [_live_workers(settings, workers)]
    if lost:
        one = "1 was killed or hangs" if lost == 1 else f"{lost} were killed or hang"
        lines.append(f"{'low':5} {'workers':10} {one}: what they had started is recovered when its lease ends")
    for worker in workers:
        if worker.clock_skew is not None and abs(worker.clock_skew) > _MOST_SKEW:
            lines.append(f"{'low':5} {'clock':10} {worker.name}: {_skew(worker.clock_skew)}")
    return lines


def _live_workers(settings: Settings, workers: Sequence[Worker]) -> str:
    if workers:
        slots = sum(worker.slots for worker in workers)
        oldest = max(worker.seen_seconds_ago for worker in workers)
        since = [worker.live_seconds for worker in workers if worker.live_seconds is not None]
        lives = f", live for {_duration(min(since))} to {_duration(max(since))}" if since else ""
        return f"{'ok':5} {'workers':10} {len(workers)} with {slots} slots{lives}, all seen in the last {oldest:.0f} s"
    missing = "start one: orders only wait" if settings.redis_url else "none seen: the server is one as soon as it runs"
    return f"{'low' if settings.redis_url else 'none':5} {'workers':10} {missing}"


def clock_lines(skew: float) -> list[str]:
    """Return a line about this machine's clock if it is wrong. `skew`: seconds ahead of the database's."""
    return [f"{'low':5} {'clock':10} this machine: {_skew(skew)}"] if abs(skew) > _MOST_SKEW else []


def _skew(seconds: float) -> str:
    return f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the database's: set it by NTP"


def paused_lines(pauses: Mapping[str, Pause], tables: Mapping[MediaKind, RouteTable]) -> list[str]:
    """Return a line about each provider that workers do not call, and which models wait for it."""
    lines = []
    for pause in pauses.values():
        models = paused_models(tables.values(), pauses, pause.provider)
        waits = f"orders of {', '.join(models)} wait" if models else "no order waits for it alone"
        lines.append(
            f"{'FAIL':5} {'paused':10} {pause.provider}: {pause.problem}, for {_duration(pause.seconds)}: {waits};"
            " `main.py queue resume` calls it at once"
        )
    return lines


def calls_lines(reports: Iterable[RecentCalls]) -> list[str]:
    """Return a line about the recent calls of each model."""
    lines = []
    for each in reports:
        state = "ok" if not each.problem else "low" if each.problem == SLOW else "FAIL"
        codes = ", ".join(f"{code} {number}" for code, number in sorted(each.codes.items()))
        failed = f"{each.failed} of {each.calls} calls failed ({codes})" if each.failed else f"{each.calls} calls"
        problem = f": {each.problem}" if each.problem else ""
        took = f"in the last {WINDOW / 60:.0f} min, typically {each.typical_seconds:.1f} s"
        lines.append(f"{state:5} {'calls':10} {each.provider} {each.model}: {failed} {took}{problem}")
    return lines or [f"{'none':5} {'calls':10} of providers: none ended in the last {WINDOW / 60:.0f} min"]


def audit_line(audit: AuditResult | None, now: datetime) -> str:
    """Return the line about the last hourly audit: whether any money or data is wrong. `now`: the database's time."""
    if audit is None:
        return (
            f"{'none':5} {'audit':10} none has finished: a worker makes one every hour; `main.py verify` makes one now"
        )
    age = (now - audit.at).total_seconds()
    first = f"{audit.at:%Y-%m-%d %H:%M} UTC, {_duration(age)} ago"
    if audit.broken:
        return f"{'FAIL':5} {'audit':10} {first}: {_findings(audit.broken)}: `main.py verify` names the rows"
    if audit.late:
        return f"{'low':5} {'audit':10} {first}: the books are right; late: {_findings(audit.late)}"
    if audit.unknown:
        names = ", ".join(audit.unknown)
        return f"{'low':5} {'audit':10} {first}: 0 findings, but {names} took too long: `main.py verify` has no limit"
    if age > _OLD_AUDIT:
        return f"{'low':5} {'audit':10} {first}: 0 findings, but no audit has finished since"
    return f"{'ok':5} {'audit':10} {first}: 0 findings"


def _findings(violated: Mapping[str, int]) -> str:
    times = {name: "once" if number == 1 else f"{number} times" for name, number in sorted(violated.items())}
    return ", ".join(f"{name} is violated {number}" for name, number in times.items())


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
