"""What is done to stored items without a poll: retention (SPEC §4)."""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from feedhub.model.report import PruneReport
from feedhub.model.settings import Settings
from feedhub.ports.store import Store

KEYS_REMEMBERED_DAYS: Final = 2 * 365


def prune(store: Store, settings: Settings, now: datetime) -> PruneReport:
    """Apply the configured retention; days begin at midnight in the site's time zone."""
    days = settings.retention.days
    midnight = now.astimezone(ZoneInfo(settings.site.timezone)).replace(hour=0, minute=0, second=0, microsecond=0)
    return store.prune(
        offered_before=None if days is None else midnight - timedelta(days=days),
        keep_per_category=settings.retention.items,
        forget_before=now - timedelta(days=KEYS_REMEMBERED_DAYS),
        now=now,
    )
