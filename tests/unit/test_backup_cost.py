# SPDX-License-Identifier: GPL-3.0-or-later
"""What backups cost: the source document's rows to the dollar, and the bill of what is there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.backup_cost import GB, Cost, bill, estimate, stays, together
from dynabridge.catalogue import DAMAGED, FAILED, RUNNING, VERIFIED, Backup
from dynabridge.errors import SettingsError
from dynabridge.exports import FULL, INCREMENTAL

PRICES = {
    "currency": "USD",
    "export": 0.10,
    "transfer": 0.02,
    "function_month": 0.20,
    "storage": {"STANDARD": 0.023, "STANDARD_IA": 0.0125, "GLACIER": 0.004, "DEEP_ARCHIVE": 0.00099},
}
LIFECYCLE = [
    {"storage_class": "STANDARD_IA", "days": 30},
    {"storage_class": "GLACIER", "days": 90},
    {"storage_class": "DEEP_ARCHIVE", "days": 270},
]
NOW = 1_763_700_000.0
DAY = 86400.0


def of_table(gigabytes, **settings):
    return together([estimate(gigabytes, PRICES, LIFECYCLE, 730, **settings)], PRICES)


def backup(identifier="1", **fields):
    known = {"table": "user-cn", "state": VERIFIED, "kind": FULL, "requested": NOW - DAY, "moment": NOW - DAY} | fields
    return Backup(bucket="b", id=identifier, day="2026-11-20", folder=f"daily/{identifier}/", **known)


@pytest.mark.parametrize(
    ("gigabytes", "export", "transfer", "stored", "total"),
    [(50, 150, 30, 131, 311), (100, 300, 60, 262, 622), (200, 600, 120, 523, 1243), (500, 1500, 300, 1308, 3108)],
)
def test_the_source_documents_rows_to_the_dollar(gigabytes, export, transfer, stored, total):
    """GIVEN daily full backups, nothing compressed WHEN a month is estimated THEN it is the document's row."""
    cost = of_table(gigabytes)
    assert [round(amount) for amount in (cost.export, cost.transfer, cost.stored, cost.total)] == [
        export,
        transfer,
        stored,
        total,
    ]


def test_the_classes_of_100_gb():
    cost = of_table(100).as_dict()
    assert cost["storage"] == {"STANDARD": 69.0, "STANDARD_IA": 75.0, "GLACIER": 72.0, "DEEP_ARCHIVE": 45.54}
    assert cost["function"] == 0.2


@pytest.mark.parametrize(("compression", "total"), [(0.5, 461), (0.7, 525)])
def test_compression_spares_storage_and_transfer_only(compression, total):
    """GIVEN stored sizes of 50 to 70% THEN the total is within the document's 440 to 530 dollars."""
    cost = of_table(100, compression=compression)
    assert (round(cost.total), cost.export) == (total, of_table(100).export)


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0.01, 1), st.integers(1, 1000))
def test_a_larger_table_costs_more_and_the_parts_make_the_total(small, more, compression, backups):
    settings = {"compression": compression, "backups_per_month": backups}
    smaller, larger = of_table(small, **settings), of_table(small + more, **settings)
    assert smaller.total <= larger.total
    parts = [larger.export, larger.transfer, *larger.storage.values(), larger.function]
    assert larger.total == pytest.approx(sum(parts))


@given(st.lists(st.integers(1, 729), unique=True, max_size=4))
def test_the_days_of_all_classes_are_those_until_expiration(days):
    lifecycle = [{"storage_class": f"CLASS{day}", "days": day} for day in days]
    found = stays(lifecycle, 730)
    assert sum(stay.days for stay in found) == 730 and found[0].storage_class == "STANDARD"


def test_several_tables_share_the_function():
    one = estimate(100, PRICES, LIFECYCLE, 730)
    both = together([one, one], PRICES)
    assert both.total == pytest.approx(2 * one.total + 0.20)
    assert both.storage["GLACIER"] == pytest.approx(144)


class TestBill:
    def test_a_month_of_exports_and_what_lies_there(self):
        """GIVEN backups of yesterday and of long ago WHEN billed THEN both are stored, and only one was exported."""
        stored = {"stored_bytes": 6 * GB, "billed_bytes": 10 * GB}
        backups = [
            backup("1", storage_classes={"STANDARD": 6 * GB}, **stored),
            backup("2", storage_classes={"GLACIER": 6 * GB}, requested=NOW - 100 * DAY, **stored),
        ]
        cost = bill(backups, PRICES, NOW)["user-cn"]
        assert cost.export == pytest.approx(1.0) and cost.transfer == pytest.approx(0.12)
        assert cost.storage == {"GLACIER": pytest.approx(0.024), "STANDARD": pytest.approx(0.138)}

    @pytest.mark.parametrize(
        ("state", "billed", "counted"),
        [(VERIFIED, 500, 10_000_000), (DAMAGED, 500, 10_000_000), (RUNNING, 0, 0), (FAILED, 0, 0)],
    )
    def test_an_incremental_is_billed_ten_million_bytes_at_least(self, state, billed, counted):
        (cost,) = bill([backup(state=state, kind=INCREMENTAL, billed_bytes=billed)], PRICES, NOW).values()
        assert cost.export == pytest.approx(counted / GB * 0.10)

    def test_tables_apart(self):
        found = bill([backup("1"), backup("2", table="orders-cn")], PRICES, NOW)
        assert list(found) == ["orders-cn", "user-cn"]

    def test_nothing_costs_nothing(self):
        assert bill([], PRICES, NOW) == {}
        assert together([], PRICES) == Cost(0, 0, {}, 0.20)


class TestWhatIsMissing:
    def test_a_class_without_a_price_is_named(self):
        prices = PRICES | {"storage": {"STANDARD": 0.023}}
        with pytest.raises(SettingsError, match=r"no storage\.STANDARD_IA: add the price"):
            estimate(100, prices, LIFECYCLE, 730)
        with pytest.raises(SettingsError, match=r"no storage\.GLACIER_IR"):
            bill([backup(storage_classes={"GLACIER_IR": 1})], PRICES, NOW)

    @pytest.mark.parametrize("name", ["export", "transfer", "function_month"])
    def test_a_missing_price_is_named(self, name):
        prices = {key: value for key, value in PRICES.items() if key != name}
        with pytest.raises(SettingsError, match=f"has no {name}"):
            together([estimate(1, prices, LIFECYCLE, 730)], prices)

    @pytest.mark.parametrize("value", ["ten", None, -1, float("nan")])
    def test_a_price_that_is_none_is_shown(self, value):
        with pytest.raises(SettingsError, match=r"dynabridge_backup_prices\.export is .*a number, 0 or more"):
            estimate(1, PRICES | {"export": value}, LIFECYCLE, 730)

    @pytest.mark.parametrize("days", [0, 270])
    def test_an_expiration_that_never_comes_is_refused(self, days):
        with pytest.raises(SettingsError, match="more than the days of the last move"):
            estimate(1, PRICES, LIFECYCLE, days)

    @pytest.mark.parametrize("settings", [{"compression": 0}, {"compression": 1.1}, {"backups_per_month": -1}])
    def test_sizes_that_make_no_sense_are_refused(self, settings):
        with pytest.raises(SettingsError, match="compression is above 0"):
            estimate(1, PRICES, LIFECYCLE, 730, **settings)
