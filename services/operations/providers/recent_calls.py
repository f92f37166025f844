"""How the calls of each provider's models went in the last quarter of an hour, from the rows of ended generations.

Every process reads the same rows by the database's clock, so that all servers say the same, also those that call none.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.database.connection import as_datetime, rows
from models.enum import ErrorCode, GenerationStatus, MediaKind, Quality
from services.core.cached_value import CachedValue
from telemetry import metric

WINDOW = 900.0  # seconds
FAILING, TIMING_OUT, SLOW = "calls fail", "calls time out", "slow"
# Failing: more than this share of the calls that ended in the last two minutes, and of the newest three in any case,
# if three or more failed in the window. Slow: the typical successful call of the last five minutes, of three or more,
# took more than half of its deadline.
MAX_FAILURE_SHARE = 0.2
SLOW_SHARE = 0.5
_ENOUGH = 3
_NEWEST_SECONDS = 120.0
_SLOW_SECONDS = 300.0
_MOST = 1000  # generations that are read, the newest
_TTL = 5.0  # seconds for which the values are cached

_PROBLEMS = (FAILING, TIMING_OUT, SLOW)  # the worst first


@dataclass(frozen=True)
class RecentCalls:
    """The calls of one model at one provider. `typical_seconds`: the median of those that made something, or of all.

    `codes`: numbers of failures by error code. What was rejected for its content is no failure. `problem`: a word of a
    closed set; empty: none.
    """

    provider: str
    model: str
    calls: int
    codes: Mapping[str, int]
    typical_seconds: float
    problem: str

    @property
    def failed(self) -> int:
        return sum(self.codes.values())

    @property
    def failure_share(self) -> float:
        """From 0 to 1."""
        return self.failed / self.calls


@dataclass(frozen=True)
class _Call:
    age: float  # seconds since the end of its generation
    seconds: float
    deadline: float
    code: str | None

    @property
    def has_failed(self) -> bool:
        return self.code not in (None, ErrorCode.CONTENT_REJECTED)


class RecentCallReports:
    """The calls of all models, cached for some seconds. `deadlines`: seconds that a call of each medium may take."""

    def __init__(self, deadlines: Mapping[MediaKind, float]) -> None:
        self._deadlines = deadlines
        self._reports = CachedValue(self._read, _TTL)
        self._exported: set[tuple[str, str]] = set()

    async def get(self) -> list[RecentCalls]:
        """Return the calls of each model, by provider and model, and export them as metrics."""
        return await self._reports.get()

    async def _read(self) -> list[RecentCalls]:
        found = await read_recent_calls(self._deadlines)
        present = {(each.provider, each.model): each for each in found}
        for labels in self._exported | present.keys():
            report = present.get(labels)
            metric.provider_recent_calls.labels(*labels).set(report.calls if report else 0)
            metric.provider_recent_failures.labels(*labels).set(report.failed if report else 0)
            metric.provider_recent_seconds.labels(*labels).set(report.typical_seconds if report else 0)
            for problem in _PROBLEMS:
                is_so = report is not None and report.problem == problem
                metric.provider_degraded.labels(*labels, problem).set(is_so)
        self._exported |= present.keys()
        return found


async def read_recent_calls(deadlines: Mapping[MediaKind, float]) -> list[RecentCalls]:
    """Read the newest ends of the last quarter of an hour, and return the calls of each model that led to them."""
    calls: defaultdict[tuple[str, str], list[_Call]] = defaultdict(list)
    for row in await rows(_RECENT, -WINDOW, _MOST):
        age = max((as_datetime(row["now"]) - as_datetime(row["completed_at"])).total_seconds(), 0.0)
        deadline = deadlines[MediaKind(row["media"])]
        for each in reversed(_path_of(row["provider_path"])):
            if not each["sent"] and each["code"] == ErrorCode.PROVIDER_MISCONFIGURED:
                continue  # the provider was paused, and not called
            model = each["model"] or each["provider"]
            calls[each["provider"], model].append(_Call(age, float(each["seconds"]), deadline, each["code"]))
    return [_report(*names, found) for names, found in sorted(calls.items())]


def worst_problems(reports: Sequence[RecentCalls]) -> dict[str, str]:
    """Return the worst problem of each provider that has one."""
    found: dict[str, str] = {}
    for problem in _PROBLEMS:
        for each in reports:
            if each.problem == problem:
                found.setdefault(each.provider, problem)
    return found


def _report(provider: str, model: str, calls: Sequence[_Call]) -> RecentCalls:
    """Return the report of one model. `calls`: the newest first."""
    codes = Counter(call.code or "" for call in calls if call.has_failed)
    made = [call.seconds for call in calls if call.code is None]
    typical = round(_median(made or [call.seconds for call in calls]), 3)
    return RecentCalls(provider, model, len(calls), dict(codes), typical, _problem(calls))


def _problem(calls: Sequence[_Call]) -> str:
    failed = [call for call in calls if call.has_failed]
    newest = [call for number, call in enumerate(calls) if number < _ENOUGH or call.age <= _NEWEST_SECONDS]
    failed_lately = [call for call in newest if call.has_failed]
    if len(failed) >= _ENOUGH and len(failed_lately) > MAX_FAILURE_SHARE * len(newest):
        late = sum(call.code == ErrorCode.GENERATION_TIMEOUT for call in failed_lately)
        return TIMING_OUT if 2 * late > len(failed_lately) else FAILING
    made = [call.seconds / call.deadline for call in calls if call.code is None and call.age <= _SLOW_SECONDS]
    return SLOW if len(made) >= _ENOUGH and _median(made) > SLOW_SHARE else ""


def _median(values: Sequence[float]) -> float:
    """Return the median; the standard library's module needs a fifth of a MiB in every server."""
    ordered, half = sorted(values), len(values) // 2
    return (ordered[(len(ordered) - 1) // 2] + ordered[half]) / 2


def _path_of(stored: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    path: list[dict[str, Any]] = json.loads(stored) if isinstance(stored, str) else stored
    return path


def _part(number: int, condition: str) -> str:
    return (
        f"SELECT * FROM (SELECT completed_at, media, provider_path FROM generations WHERE {condition}"  # noqa: S608 - constants
        " AND completed_at > LATER($1) AND provider_path IS NOT NULL ORDER BY completed_at DESC LIMIT $2)"
        f" AS part_{number}"
    )


# One part for each range of an index: `ix_generations_recent` has those that completed by medium and quality,
# `ix_generations_failed` those that failed. $1: seconds, negative, $2: how many are read at most.
_CONDITIONS = (
    f"status = '{GenerationStatus.FAILED}'",
    *(
        f"status = '{GenerationStatus.COMPLETED}' AND media = '{media}' AND quality = '{quality}'"
        for media in MediaKind
        for quality in Quality
    ),
)
_PARTS = " UNION ALL ".join(_part(number, condition) for number, condition in enumerate(_CONDITIONS))
_RECENT = f"SELECT ended.*, NOW() AS now FROM ({_PARTS}) AS ended ORDER BY completed_at DESC LIMIT $2"  # noqa: S608 - constants
