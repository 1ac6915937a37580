# SPDX-License-Identifier: GPL-3.0-or-later
"""What -e date= may say."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.errors import SettingsError
from dynabridge.moments import Asked, read_date

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
MOMENT = datetime(2025, 10, 26, 10, 15, 3, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("text", ["2025-10-26", "2025/10/26", " 2025-10-26 "])
def test_a_day(text):
    assert read_date(text, NOW) == Asked(day="2025-10-26")


@pytest.mark.parametrize(
    "text",
    [
        "2025-10-26T10:15:03Z",
        "2025-10-26 10:15:03Z",
        "2025/10/26 10:15:03 Z",
        "2025-10-26T18:15:03+08:00",
        "2025-10-26T18:15:03+0800",
        "2025-10-26 18:15:03 +08:00",
        "2025-10-26T10:15:03.000Z",
    ],
)
def test_a_time_with_its_zone(text):
    assert read_date(text, NOW) == Asked(moment=MOMENT)


def test_latest():
    assert read_date("latest", NOW).latest and not read_date("2025-10-26", NOW).latest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2025-10-26T10:15:03", "without its zone"),
        ("2026-11-22", "has not come yet"),
        ("2026-11-21T12:00:01Z", "in the future"),
        ("2025-02-30", "day"),
        ("2025-13-01T10:00Z", "month"),
        ("2025-10/26", "write a day"),
        ("yesterday", "write a day"),
        ("", "write a day"),
        ("1761473703", "write a day"),
    ],
)
def test_what_is_none_is_said(text, said):
    """GIVEN a date in the future, without a zone, or none at all THEN it is one sentence that names it."""
    with pytest.raises(SettingsError, match=said) as caught:
        read_date(text, NOW)
    assert "date is" in str(caught.value)


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2026, 11, 20)),
    st.integers(-14 * 60, 14 * 60).map(lambda m: timedelta(minutes=m)),
)
def test_every_time_is_read_as_it_is_meant(naive, offset):
    moment = naive.replace(tzinfo=timezone(offset))
    assert read_date(moment.isoformat(), NOW) == Asked(moment=moment.timestamp())
