"""The rows of a batch with their answers, a page at a time."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson

from config.wiring import App
from jobs import control
from licensing.cells import column_letters
from licensing.fields import Language
from licensing.outcomes import CODES
from models import rows
from models.database import transaction
from models.rows import Answer


def page(
    app: App,
    batch_id: int,
    *,
    after: int,
    limit: int,
    language: Language,
    outcomes: Collection[str] = (),
    codes: Collection[str] = (),
    previewed: bool = False,
) -> list[dict[str, Any]]:
    """Rows after an ordinal, in file order; with some outcomes or codes only, where these are given.

    ``previewed``: with what the preview says. Raises ``Refused`` for an unknown batch.
    """
    wanted = None
    if outcomes or codes:
        wanted = [one.code for one in CODES.values() if one.outcome in outcomes or one.code in codes]
    with transaction(app.engine) as connection:
        batch = control.find(connection, batch_id)
        titles = (batch.reading or {}).get("titles") or []
        table = "previews" if previewed else "outcomes"
        found = rows.page(connection, batch_id, table, after=after, limit=limit, codes=wanted)
        return [_shown(answer, titles, language) for answer in found]


def _shown(answer: Answer, titles: list[str | None], language: Language) -> dict[str, Any]:
    code = CODES.get(answer.code)
    return {
        "row": answer.ordinal,
        "sheet_row": answer.sheet_row,
        "cells": [
            {"column": column_letters(place), "title": titles[place] if place < len(titles) else None, "value": value}
            for place, value in enumerate(orjson.loads(answer.cells))
        ],
        "outcome": code.outcome if code else None,
        "code": code.code if code else None,
        "sentence": code.sentence(language, answer.detail or "") if code else None,
        "faults": [
            {"column": column_letters(column), "code": fault, "sentence": CODES[fault].sentence(language, detail)}
            for column, _, fault, detail in answer.faults or ()
        ],
        "license": answer.license_number,
        "key": answer.key,
        "product": answer.sku,
        "quantity": answer.quantity,
        "valid_until": answer.valid_until,
    }
