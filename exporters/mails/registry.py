"""Every event that is told by mail, and its letter."""

from __future__ import annotations

from collections.abc import Callable

from exporters.mails import (
    batch_ended,
    batch_previewed,
    schedule_failed,
    statements_closed,
    upgrades_notified,
    webhook_disabled,
)
from exporters.mails.letter import Data, Letter
from licensing.fields import Language

LETTERS: dict[str, Callable[[Data, Language], Letter]] = {
    "batch.previewed": batch_previewed.letter,
    "batch.ended": batch_ended.letter,
    "upgrades.notified": upgrades_notified.letter,
    "statements.closed": statements_closed.letter,
    "schedule.failed": schedule_failed.letter,
    "webhook.disabled": webhook_disabled.letter,
}
