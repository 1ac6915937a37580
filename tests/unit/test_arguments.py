# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules have in common: the checks of numbers, and the bucket that they work in."""

from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from dynabridge.arguments import check_lowest, check_ranges
from dynabridge.aws.connections import bucket_objects, patient
from dynabridge.errors import SettingsError


def test_what_is_too_low_is_named():
    # GIVEN two numbers WHEN one is lower than it may be THEN it is named, with the lowest; the lowest itself goes
    check_lowest({"poll": 0.1, "show": 0}, poll=0.1, show=0)
    with pytest.raises(SettingsError, match=r"^poll is 0: it must be at least 0\.1$"):
        check_lowest({"poll": 0, "show": 0}, poll=0.1, show=0)


@pytest.mark.parametrize("value", [0, 10])
def test_what_is_out_of_range_is_named(value):
    # GIVEN a number WHEN it is beyond an end of its range THEN it is named, with both ends
    with pytest.raises(SettingsError, match=f"^level is {value}: it must be from 1 to 9$"):
        check_ranges({"level": value}, level=(1, 9))


def test_the_ends_of_a_range_are_in_it():
    check_ranges({"level": 1, "show": 9}, level=(1, 9), show=(1, 9))


def module_with(**params):
    known = {"bucket": "b", "bucket_region": "", "bucket_owner": "", "role_arn": ""}
    return SimpleNamespace(params=known | params, region="cn-north-1", client=MagicMock())


@pytest.mark.parametrize(("given", "region"), [("", "cn-north-1"), ("cn-northwest-1", "cn-northwest-1")])
def test_the_bucket_is_reached_in_its_region(given, region):
    # GIVEN a module WHEN its bucket has a region of its own THEN S3 is asked there, else where the module works
    module, config = module_with(bucket_region=given), patient(max_pool_connections=3)
    meta = module.client.return_value.meta  # what is asked for the proxy of the way
    meta.endpoint_url, meta.config.proxies = "https://s3.invalid", {}
    objects = bucket_objects(module, config=config)
    module.client.assert_called_once_with("s3", region=region, config=config)
    assert (objects.s3, objects.bucket) == (module.client.return_value, "b")


def test_another_bucket_and_other_clients_can_be_given():
    # GIVEN what makes clients, and the bucket of a plan WHEN asked for it THEN the module's own are not asked for
    module, make = module_with(bucket_owner="123456789012"), MagicMock()
    objects = bucket_objects(module, make=make, bucket="of-the-plan")
    objects.get("k")
    make.assert_called_once_with("s3", region="cn-north-1")
    make.return_value.get_object.assert_called_once_with(
        Bucket="of-the-plan", ExpectedBucketOwner="123456789012", Key="k"
    )
    module.client.assert_not_called()
