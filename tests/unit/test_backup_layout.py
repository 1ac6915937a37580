# SPDX-License-Identifier: GPL-3.0-or-later
"""Where backups lie: keys to places and back, and times in UTC whatever the host's zone."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.backup_layout import (
    Place,
    begun_at,
    check_day,
    day_of,
    folder_of,
    id_of,
    iso,
    place_of,
    table_prefix,
)
from dynabridge.errors import SettingsError
from dynabridge.exports import read_time
from tests.export_files import MOMENT

ID = "01715685260608-c488b4e1"
tables = st.from_regex(r"[A-Za-z0-9_.-]{3,255}", fullmatch=True)
moments = st.integers(0, 4102444800_000).map(lambda milliseconds: milliseconds / 1000)


class TestPlaces:
    @given(tables, st.dates(), st.from_regex(r"[0-9]{14}-[0-9a-f]{8}", fullmatch=True))
    def test_a_key_says_where_it_belongs(self, table, date, identifier):
        """GIVEN any table name that DynamoDB takes, slashes apart WHEN a key is made THEN it reads back."""
        day = date.isoformat()
        folder = folder_of("daily", day, table, identifier)
        assert place_of("daily", folder + "data/x.json.gz") == Place(day, table, identifier, "data/x.json.gz")
        assert place_of("daily", f"{table_prefix('daily', day, table)}/table_schema.json").id == ""

    def test_the_layout_of_the_source_documents(self):
        assert folder_of("daily", "2026-11-21", "user-cn", ID) == f"daily/2026/11/21/user-cn/AWSDynamoDB/{ID}/"
        assert table_prefix("daily", "2026-11-21", "user-cn") == "daily/2026/11/21/user-cn"

    @pytest.mark.parametrize(
        ("name", "identifier"),
        [
            (f"AWSDynamoDB/{ID}/_SUCCESS", ID),
            (f"AWSDynamoDB/{ID}/manifest-files.json", ID),
            ("AWSDynamoDB/data/abc.json.gz", ""),
            ("table_schema.json", ""),
            (f"AWSDynamoDB/{ID[:-1]}/_SUCCESS", ""),
            (f"AWSDynamoDB/{ID.upper()}/_SUCCESS", ""),
        ],
    )
    def test_only_an_export_has_an_id(self, name, identifier):
        """GIVEN shared data files, the day's schema, or a folder that is no export's THEN they belong to no backup."""
        assert place_of("daily", f"daily/2026/11/21/user-cn/{name}").id == identifier

    @pytest.mark.parametrize(
        "key",
        [
            "",
            "daily",
            "daily/",
            "daily/2026/11/21/",
            "daily/2026/11/21/user-cn/",
            "daily/26/11/21/user-cn/x",
            f"weekly/2026/11/21/user-cn/AWSDynamoDB/{ID}/_SUCCESS",
            f"daily-2/2026/11/21/user-cn/AWSDynamoDB/{ID}/_SUCCESS",
            f"a/daily/2026/11/21/user-cn/AWSDynamoDB/{ID}/_SUCCESS",
        ],
    )
    def test_what_lies_elsewhere_is_no_part_of_a_backup(self, key):
        assert place_of("daily", key) is None

    def test_a_prefix_may_have_several_parts(self):
        folder = folder_of("team/daily", "2026-11-21", "user-cn", ID)
        assert place_of("team/daily", folder + "_SUCCESS").table == "user-cn"
        assert place_of("daily", folder + "_SUCCESS") is None


class TestTimes:
    def test_an_id_says_when_its_export_began(self):
        arn = f"arn:aws:dynamodb:eu-central-1:164221962816:table/S3ExportTest/export/{ID}"
        assert id_of(arn) == ID
        assert iso(begun_at(ID)) == "2024-05-14T11:14:20.608Z"

    @given(moments)
    def test_times_are_written_and_read(self, moment):
        """GIVEN any moment to the millisecond THEN it reads back as it was."""
        assert iso(moment).endswith("Z") and abs(read_time(iso(moment)) - moment) < 0.0005

    def test_milliseconds_only_where_there_are_some(self):
        assert (iso(MOMENT), iso(MOMENT + 0.25)) == ("2026-11-21T02:00:00Z", "2026-11-21T02:00:00.250Z")
        assert iso(MOMENT + 0.9999) == "2026-11-21T02:00:01Z"

    @pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/Los_Angeles"])
    def test_days_are_utc(self, zone, monkeypatch):
        """GIVEN a host in another zone THEN days are those of UTC all the same."""
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        try:
            assert (day_of(MOMENT - 7200), day_of(MOMENT - 7201)) == ("2026-11-21", "2026-11-20")
            assert iso(MOMENT) == "2026-11-21T02:00:00Z"
        finally:
            monkeypatch.undo()
            time.tzset()

    @pytest.mark.parametrize("text", ["", "2026-11-21"])
    def test_a_day(self, text):
        check_day(text, "since")

    @pytest.mark.parametrize("text", ["2026/11/21", "2026-13-01", "20261121", "yesterday", "2026-11-21T00:00:00Z"])
    def test_what_is_no_day_is_told(self, text):
        """GIVEN a day written otherwise THEN it is refused: compared as text it would choose the wrong days in silence."""
        with pytest.raises(SettingsError, match=f"since is '{text}': write a day of UTC as 2026-11-21"):
            check_day(text, "since")
