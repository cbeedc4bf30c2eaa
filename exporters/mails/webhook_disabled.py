"""``webhook.disabled``: an endpoint gets nothing any more, because it said so or did not answer for days."""

from __future__ import annotations

from exporters.mails.letter import Data, Letter, because, pick
from licensing.fields import Language


def letter(data: Data, language: Language) -> Letter:
    """Which endpoint, and why."""
    return Letter(
        pick(language, f"Webhook disabled: {data['url']}", f"Webhook disattivato: {data['url']}"),
        [
            pick(
                language,
                f"Webhook {data['endpoint']} of account {data['account']} was disabled: {data['url']}",
                f"Il webhook {data['endpoint']} dell'account {data['account']} è stato disattivato: {data['url']}",
            ),
            because(data, language),
            pick(
                language,
                "When the receiver works again: keymill webhooks resume, then replay what failed.",
                "Quando il destinatario funziona di nuovo: keymill webhooks resume, poi rinviare ciò che è fallito.",
            ),
        ],
    )
