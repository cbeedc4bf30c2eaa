"""``upgrades.notified``: an owner may upgrade licenses to a new release."""

from __future__ import annotations

from exporters.mails.letter import Data, Letter, not_named, pick
from licensing.fields import Language


def letter(data: Data, language: Language) -> Letter:
    """The notification IDs, each with the license that it is for."""
    named, count = data["notifications"], data["count"]
    releases = ", ".join(sorted({f"{one['product']} {one['version']}" for one in named}))
    return Letter(
        pick(language, f"Upgrades for you: {releases}", f"Aggiornamenti per voi: {releases}"),
        [
            pick(
                language,
                f"Your maintenance covers a new release. Licenses that you may upgrade: {count}.",
                f"La vostra manutenzione comprende una nuova versione. Licenze che potete aggiornare: {count}.",
            ),
            pick(
                language,
                "Send an upgrade-licenses list with these notification IDs to get the new keys:",
                "Inviare una lista upgrade-licenses con questi ID di notifica per ottenere le nuove chiavi:",
            ),
        ],
        (
            pick(language, "Notification ID", "ID di notifica"),
            pick(language, "Product", "Prodotto"),
            pick(language, "Version", "Versione"),
            pick(language, "License", "Licenza"),
            pick(language, "Quantity", "Quantità"),
        ),
        [(one["notification"], one["product"], one["version"], one["license"], str(one["quantity"])) for one in named],
        not_named(data, named, language),
    )
