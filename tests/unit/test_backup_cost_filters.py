# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters that bring the cost and the state of backups into playbooks."""

import pytest
from ansible.errors import AnsibleFilterError

from plugins.filter.dynabridge_backup_cost import FilterModule

FILTERS = FilterModule().filters()
PRICES = {
    "currency": "USD",
    "export": 0.10,
    "transfer": 0.02,
    "function_month": 0.20,
    "storage": {"STANDARD": 0.023, "STANDARD_IA": 0.0125, "GLACIER": 0.004, "DEEP_ARCHIVE": 0.00099},
}
LIFECYCLE = [
    {"storage_class": "STANDARD_IA", "days": 30},
    {"storage_class": "GLACIER", "days": "90"},
    {"storage_class": "DEEP_ARCHIVE", "days": 270},
]
TABLES = [
    {"name": "user", "names": {"cn": "user-cn", "sg": "user-sg"}, "backup": True},
    {"name": "orders", "names": {"cn": "orders-cn", "sg": "orders-sg"}, "backup": True, "backup_max_age_hours": 50},
    {"name": "scratch", "names": {"cn": "scratch-cn", "sg": "scratch-sg"}},
]
SETTINGS = {
    "side": "cn",
    "bucket": "b",
    "limits": {"user-cn": 26.0},
    "prices": PRICES,
    "rules": [],
    "expiry_warning_days": 30.0,
    "incremental_hours": 0.0,
}
NOW = 1_795_269_600.0  # 2026-11-21T14:00:00Z


class TestCost:
    def test_one_size(self):
        found = FILTERS["dynabridge_backup_cost"](100, PRICES, LIFECYCLE, "730")
        assert (found["currency"], found["total"]["total"]) == ("USD", 621.74)
        assert found["tables"]["table"]["stored"] == 261.54

    def test_several_tables_by_name(self):
        found = FILTERS["dynabridge_backup_cost"]({"user-cn": 100, "orders-cn": "50"}, PRICES, LIFECYCLE, 730)
        assert sorted(found["tables"]) == ["orders-cn", "user-cn"]
        assert found["total"]["total"] == pytest.approx(621.54 + 310.77 + 0.20)

    def test_a_missing_price_names_the_class(self):
        prices = PRICES | {"storage": {"STANDARD": 0.023}}
        with pytest.raises(AnsibleFilterError, match=r"dynabridge_backup_prices has no storage\.STANDARD_IA"):
            FILTERS["dynabridge_backup_cost"](100, prices, LIFECYCLE, 730)

    def test_a_size_that_is_none_is_refused(self):
        with pytest.raises(AnsibleFilterError, match=r"cannot be reckoned.*'much'"):
            FILTERS["dynabridge_backup_cost"]("much", PRICES, LIFECYCLE, 730)


class TestLimits:
    def test_the_sides_tables_with_their_hours(self):
        assert FILTERS["dynabridge_backup_limits"](TABLES, "sg", "26") == {"user-sg": 26.0, "orders-sg": 50.0}

    @pytest.mark.parametrize("name", ["orders", "orders-cn"])
    def test_one_table_by_either_name(self, name):
        assert FILTERS["dynabridge_backup_limits"](TABLES, "cn", 26, name) == {"orders-cn": 50.0}

    def test_a_table_of_the_other_side_or_without_backups_is_none(self):
        assert FILTERS["dynabridge_backup_limits"](TABLES, "cn", 26, "orders-sg") == {}
        assert FILTERS["dynabridge_backup_limits"](TABLES, "cn", 26, "scratch") == {}

    @pytest.mark.parametrize("hours", ["a day", 0, -1])
    def test_hours_that_are_none_are_refused(self, hours):
        with pytest.raises(AnsibleFilterError, match=r"table user: .*no number above 0"):
            FILTERS["dynabridge_backup_limits"](TABLES, "cn", hours)


class TestReport:
    def test_backups_as_the_module_gives_them_become_a_screen(self):
        """GIVEN one verified backup as JSON WHEN reported and shown THEN the table is ok."""
        backup = {
            "bucket": "b",
            "table": "user-cn",
            "id": "01795226400000-0000000a",
            "day": "2026-11-21",
            "folder": "daily/2026/11/21/user-cn/AWSDynamoDB/01795226400000-0000000a/",
            "state": "verified",
            "kind": "full",
            "start": None,
            "moment": "2026-11-21T02:00:00Z",
            "requested": "2026-11-21T02:00:00Z",
            "verified": "2026-11-21T02:10:00Z",
            "storage_classes": {"STANDARD": 1},
        }
        found = FILTERS["dynabridge_backup_report"]([backup], SETTINGS, NOW)
        assert found["ok"] and found["tables"][0]["last"]["age_hours"] == 12
        assert "2026-11-21T02:00:00Z   12 h   26 h" in FILTERS["dynabridge_backup_screen"]([found])

    def test_without_backups_it_is_not_ok(self):
        found = FILTERS["dynabridge_backup_report"]([], SETTINGS)
        assert found["problems"] == ["cn user-cn: there is no verified full backup"]
