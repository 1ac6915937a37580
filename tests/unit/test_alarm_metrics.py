# SPDX-License-Identifier: GPL-3.0-or-later
"""What alarms watch: metrics that AWS or this project publishes, with the dimensions it publishes them with."""

import pytest

from dynabridge.aws.counters import PUBLISHED
from tests.docs.test_alarm_pages import alarms
from tests.local_pair import REPOSITORY
from tests.unit.test_dashboard import OF_AWS

# Beside what the dashboard shows; of the same pages of the developer guides.
NOT_SHOWN = {"AWS/Lambda": {"Throttles"}, "AWS/SQS": {"ApproximateAgeOfOldestMessage"}}
# Of the functions for backups: metric -> the file that publishes it.
OF_BACKUPS = {
    "Failed_count": "aws/backup_watch.py",
    "Damaged_count": "aws/backup_watch.py",
    "Backup_age_hours": "aws/backup_watch.py",
    "Last_backup_expires_days": "aws/backup_watch.py",
    "Recoverable_age_seconds": "aws/capture_tend.py",
    "Hole_count": "aws/capture_tend.py",
}
ALARMS = [alarm for made in alarms().values() for alarm in made]


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm.get("name", alarm["metric"]))
def test_somebody_publishes_what_an_alarm_watches(alarm):
    """GIVEN an alarm that deploy.yml makes THEN AWS, the functions of the bridge or those of the backups publish its metric."""
    metric, namespace = alarm["metric"], alarm.get("namespace")
    if namespace in OF_AWS:
        dimension, shown = OF_AWS[namespace]
        assert metric in shown | NOT_SHOWN.get(namespace, set()) and list(alarm["dimensions"]) == [dimension]
    elif metric in OF_BACKUPS:
        text = (REPOSITORY / "module_utils" / "dynabridge" / OF_BACKUPS[metric]).read_text(encoding="utf-8")
        assert f'"{metric}"' in text
    else:
        assert namespace is None and metric in PUBLISHED.values()


def test_no_alarm_is_on_a_metric_of_dynamodb():
    """CloudWatch's alarms always ignore silence there, and throttling is silent when it is over: such an alarm would ring on."""
    assert not [alarm for alarm in ALARMS if alarm.get("namespace") == "AWS/DynamoDB"]
