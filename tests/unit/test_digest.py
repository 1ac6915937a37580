# SPDX-License-Identifier: GPL-3.0-or-later
"""Canonical bytes: the same for what DynamoDB calls equal, different for everything else."""

from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynabridge.digest import canonical_number, digest, encode_item, encode_value
from tests.strategies import boto_items, boto_values, numbers

EXACT = Context(prec=400, Emax=999999, Emin=-999999)


def meaning(value):
    """What a value means, by Python's own notion of equality: the oracle."""
    ((kind, content),) = value.items()
    if kind == "N":
        return kind, EXACT.create_decimal(content)
    if kind in ("SS", "BS"):
        return kind, frozenset(content)
    if kind == "NS":
        return kind, frozenset(EXACT.create_decimal(number) for number in content)
    if kind == "L":
        return kind, tuple(map(meaning, content))
    if kind == "M":
        return kind, frozenset((name, meaning(inner)) for name, inner in content.items())
    return kind, content


def spelled_otherwise(value, random):
    """The same value with sets and maps in another order and numbers in another spelling."""
    ((kind, content),) = value.items()
    if kind == "N":
        return {kind: number_otherwise(content, random)}
    if kind == "NS":
        return {kind: shuffled([number_otherwise(number, random) for number in content], random)}
    if kind in ("SS", "BS"):
        return {kind: shuffled(content, random)}
    if kind == "L":
        return {kind: [spelled_otherwise(inner, random) for inner in content]}
    if kind == "M":
        names = shuffled(list(content), random)
        return {kind: {name: spelled_otherwise(content[name], random) for name in names}}
    return value


def number_otherwise(text, random):
    sign, digits, exponent = EXACT.create_decimal(text).as_tuple()
    zeros, leading = random.randrange(4), random.randrange(3)
    whole = "0" * leading + "".join(map(str, digits)) + "0" * zeros
    point = random.randrange(len(whole) + 1)
    power = exponent - zeros + len(whole) - point
    letter = random.choice(["e", "E"])
    return f"{'-' if sign else random.choice(['', '+'])}{whole[:point]}.{whole[point:]}{letter}{power}"


def shuffled(values, random):
    return random.sample(values, len(values))


@given(boto_values, st.randoms(use_true_random=False))
def test_another_spelling_gives_the_same_bytes(value, random):
    # GIVEN a value WHEN its sets, maps and numbers are spelled otherwise THEN its bytes stay the same
    assert encode_value(spelled_otherwise(value, random)) == encode_value(value)


@given(boto_values, boto_values)
def test_bytes_are_equal_exactly_when_values_are(first, second):
    # GIVEN two values WHEN they are encoded THEN the bytes are equal if and only if the values mean the same
    assert (encode_value(first) == encode_value(second)) == (meaning(first) == meaning(second))


@given(boto_items, boto_items)
def test_items_are_equal_exactly_when_their_attributes_are(first, second):
    same = {name: meaning(value) for name, value in first.items()} == {
        name: meaning(value) for name, value in second.items()
    }
    assert (encode_item(first) == encode_item(second)) == same


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"S": "1"}, {"N": "1"}),
        ({"S": "a"}, {"B": b"a"}),
        ({"S": ""}, {"NULL": True}),
        ({"BOOL": True}, {"BOOL": False}),
        ({"BOOL": True}, {"N": "1"}),
        ({"SS": ["a"]}, {"L": [{"S": "a"}]}),
        ({"SS": ["ab"]}, {"SS": ["a", "b"]}),
        ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}),
        ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "a:1:b"}]}),
        ({"L": []}, {"M": {}}),
        ({"M": {"a": {"S": "b"}}}, {"M": {"b": {"S": "a"}}}),
        ({"N": "12345678901234567890123456789012345678"}, {"N": "12345678901234567890123456789012345679"}),
        ({"B": b""}, {"B": b"\0"}),
    ],
)
def test_values_that_look_alike_stay_apart(first, second):
    assert encode_value(first) != encode_value(second)


@pytest.mark.parametrize(
    ("spellings", "canonical"),
    [
        (["0", "-0", "0.0", "0E5", "-0.00E-3", ".0"], "0"),
        (["1", "1.0", "+1", "001", "1.", "10E-1", "0.1E1"], "1E0"),
        (["100", "1E2", "1e+2", "100.00"], "1E2"),
        (["-1.25", "-125E-2", "-01.250"], "-125E-2"),
        (["1E125", "10E124"], "1E125"),
        (["1E-130", "0." + "0" * 129 + "1"], "1E-130"),
        (["9" * 38], "9" * 38 + "E0"),
    ],
)
def test_numbers_have_one_spelling(spellings, canonical):
    assert {canonical_number(spelling) for spelling in spellings} == {canonical}


@given(numbers)
def test_the_canonical_number_is_the_number(text):
    assert Decimal(canonical_number(text)) == Decimal(text)


@pytest.mark.parametrize("text", ["", ".", "-", "abc", "1E", "NaN", "Infinity", "1 2", "0x1", "1E1.5"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(ValueError, match="not a number"):
        canonical_number(text)


def test_an_ignored_attribute_does_not_count():
    # GIVEN two items that differ in one attribute WHEN it is ignored THEN they are equal, and only then
    one, other = {"PK": {"S": "k"}, "seen": {"N": "1"}}, {"PK": {"S": "k"}, "seen": {"N": "2"}}
    assert encode_item(one, {"seen"}) == encode_item(other, {"seen"}) == encode_item({"PK": {"S": "k"}})
    assert encode_item(one) != encode_item(other)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ({"B": "AA=="}, TypeError, "decode base64"),
        ({"BS": ["AA=="]}, TypeError, "decode base64"),
        ({}, ValueError, "one type"),
        ({"S": "a", "N": "1"}, ValueError, "one type"),
        ({"X": "a"}, ValueError, "unknown attribute type 'X'"),
    ],
)
def test_what_is_no_attribute_value_is_refused(value, error, message):
    with pytest.raises(error, match=message):
        encode_value(value)


def test_bytes_like_binaries_are_the_same_binary():
    assert len({encode_value({"B": kind(b"x")}) for kind in (bytes, bytearray, memoryview)}) == 1


def test_a_digest_has_128_bits():
    assert digest(b"a") != digest(b"b")
    assert max(digest(bytes([byte])) for byte in range(64)).bit_length() == 128
