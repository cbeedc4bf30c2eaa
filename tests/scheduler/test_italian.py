"""Cron expressions in Italian words."""

from __future__ import annotations

from datetime import datetime

import pytest
from cronsim import CronSim

from scheduler.italian import explained


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("* * * * *", "Ogni minuto"),
        ("*/15 * * * *", "Ogni 15 minuti"),
        ("*/1 * * * *", "Ogni minuto"),
        ("5 * * * *", "Ogni ora al minuto 5"),
        ("0 */2 * * *", "Ogni 2 ore al minuto 0"),
        ("0 */8 * * *", "Ogni giorno alle 00:00, alle 08:00 e alle 16:00"),
        ("30 2 * * *", "Ogni giorno alle 02:30"),
        ("30 2,14 * * *", "Ogni giorno alle 02:30 e alle 14:30"),
        ("15 3 * * 1", "Ogni lunedì alle 03:15"),
        ("15 3 * * SUN", "Ogni domenica alle 03:15"),
        ("15 3 * * 0,7", "Ogni domenica alle 03:15"),
        ("0 6 * * MON-FRI", "Dal lunedì al venerdì alle 06:00"),
        ("0 6 * * 6-7", "Ogni sabato e domenica alle 06:00"),
        ("0 6 * * 1,3,5", "Ogni lunedì, mercoledì e venerdì alle 06:00"),
        ("0 6 * * 0-6", "Ogni giorno alle 06:00"),
        ("*/30 * * * 1", "Ogni lunedì, ogni 30 minuti"),
        ("0 2 1 * *", "Il giorno 1 di ogni mese alle 02:00"),
        ("0 2 1,15 * *", "I giorni 1 e 15 di ogni mese alle 02:00"),
        ("0 2 L * *", "L'ultimo giorno di ogni mese alle 02:00"),
        ("0 2 1 */3 *", "Il giorno 1 di gennaio, aprile, luglio e ottobre alle 02:00"),
        ("0 2 31 12 *", "Il giorno 31 di dicembre alle 02:00"),
    ],
)
def test_common_shapes_are_told_in_words(expression: str, words: str):
    """Every n minutes or hours, every day, on days of the week, on days of months."""
    assert explained(CronSim(expression, datetime(2026, 1, 1))) == words


@pytest.mark.parametrize(
    "expression",
    [
        "*/7 * * * *", "0,1,30 * * * *", "*/10 8-18 * * *", "0 */5 * * *", "0 8-18 * * *", "0 2 * * 1#2",
        "0 2 * * 5L", "0 2 LW * *", "0 2 1 * 1-7", "0 2 1-31 * 1",
        "0 2 1 * 1", "0 2 * 3 *", "0 2 1-9 * *", "*/20 * * * * *", "0 2 L,1 * *",
    ],
)  # fmt: skip
def test_other_shapes_are_left_as_they_are(expression: str):
    """Better no words than wrong ones: uneven steps, seconds, two conditions that are joined by or."""
    assert explained(CronSim(expression, datetime(2026, 1, 1))) is None
