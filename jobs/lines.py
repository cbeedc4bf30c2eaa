"""The lines of result tables: a row's original cells and its outcome cells, from what is in hand or what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from sqlalchemy import Connection

from exporters.pieces import Line
from exporters.results import outcome_cells
from jobs.deciding import Answer
from licensing.fields import Language
from models import rows
from models.batches import Batch
from models.licenses import Shown


def outcome_of_decided(answer: Answer, language: Language, licenses: Mapping[str, Shown]) -> tuple[Any, ...]:
    """The outcome cells of an answer that was given just now; ``licenses`` holds the one that it names."""
    code, detail, _field, number, _order_id, _effect = answer.decision
    if number is None:
        return outcome_cells(code, detail, language)
    key, sku, quantity, valid_until = licenses[number]
    return outcome_cells(
        code, detail, language, license_number=number, key=key, sku=sku, quantity=quantity, valid_until=valid_until
    )


def outcome_of(answer: rows.Answer, language: Language) -> tuple[Any, ...]:
    """The outcome cells of a stored answer."""
    return outcome_cells(
        answer.code,
        answer.detail,
        language,
        license_number=answer.license_number,
        key=answer.key,
        sku=answer.sku,
        quantity=answer.quantity,
        valid_until=answer.valid_until,
    )


def stored(connection: Connection, batch: Batch, first: int, last: int) -> Iterator[Line]:
    """The lines of a range of rows, from the database."""
    for answer in rows.answers(connection, batch.id, first, last):
        yield orjson.loads(answer.cells), outcome_of(answer, batch.options["language"])
