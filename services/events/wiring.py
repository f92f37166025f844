"""Builds the services of the events group."""

from dataclasses import dataclass

from services.events.audit_log import AuditLog
from services.events.missed_changes import MissedChanges
from services.events.publisher import EventPublisher
from services.events.topic import Topics
from services.integrations.messaging.bus import Bus


@dataclass(frozen=True)
class Events:
    """What a commit changed, who is notified, what a subscriber missed, and the audit log."""

    publisher: EventPublisher
    audit_log: AuditLog
    topics: Topics
    missed: MissedChanges


def build_events(bus: Bus, reread_seconds: float) -> Events:
    return Events(EventPublisher(bus), AuditLog(), Topics(bus, reread_seconds), MissedChanges(bus))
