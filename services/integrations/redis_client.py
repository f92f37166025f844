"""redis-py's asyncio client, imported without OpenTelemetry's SDK; only imported where REDIS_URL is set.

redis-py takes the SDK (2.2 MiB) wherever it is installed, to send metrics that no program here asks for.
"""

from telemetry.hidden_packages import hidden

with hidden("opentelemetry.sdk"):
    from redis.asyncio import ConnectionPool, Redis
    from redis.asyncio.client import PubSub
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

__all__ = ["ConnectionPool", "NoBackoff", "PubSub", "Redis", "Retry"]
