# SPDX-License-Identifier: GPL-3.0-or-later
"""Hypothesis strategies for what DynamoDB holds: attribute values of every type, keys, stamps, changes."""

import base64
from decimal import Decimal

from hypothesis import strategies as st

from dynabridge.changes import DELETE, PUT, Change
from dynabridge.stamps import StampNames

NAMES = StampNames()

# 38 digits, exponents to DynamoDB's limits, written as DynamoDB writes them: as text.
digits = st.integers(-(10**38) + 1, 10**38 - 1)
numbers = st.one_of(
    digits.map(str), st.builds(lambda n, e: str(Decimal(n).scaleb(e)), st.integers(-999, 999), st.integers(-120, 120))
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
binaries = st.binary(max_size=30)


def attribute_values(binary):
    """Attribute values of every type; ``binary`` makes the content of B, in JSON or boto3 form."""
    scalars = st.one_of(
        texts.map(lambda v: {"S": v}),
        numbers.map(lambda v: {"N": v}),
        binary.map(lambda v: {"B": v}),
        st.booleans().map(lambda v: {"BOOL": v}),
        st.just({"NULL": True}),
        st.lists(texts, min_size=1, max_size=4, unique=True).map(lambda v: {"SS": v}),
        st.lists(digits.map(str), min_size=1, max_size=4, unique=True).map(lambda v: {"NS": v}),
        st.lists(binary, min_size=1, max_size=4, unique=True).map(lambda v: {"BS": v}),
    )
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4).map(lambda v: {"L": v}),
            st.dictionaries(texts, inner, max_size=4).map(lambda v: {"M": v}),
        ),
        max_leaves=12,
    )


json_values = attribute_values(binaries.map(lambda raw: base64.b64encode(raw).decode()))
boto_values = attribute_values(binaries)
boto_items = st.dictionaries(texts.filter(bool), boto_values, max_size=6)

times = st.one_of(
    st.integers(0, 4).map(lambda n: {"N": str(n)}),
    st.sampled_from([{"N": "1.0"}, {"N": "-1"}, {"N": "1E2"}]),
    st.sampled_from(["", "1", "2026-01-01", "é"]).map(lambda s: {"S": s}),
    st.sampled_from([{"NULL": True}, {"B": "AA=="}]),
    st.none(),
)
regions = st.one_of(
    st.sampled_from(["cn-north-1", "ap-southeast-1", ""]).map(lambda s: {"S": s}), st.just({"N": "1"}), st.none()
)


@st.composite
def stamped_images(draw):
    """Items whose stamp may be equal, missing or of another type."""
    image = {"PK": {"S": "k"}, "content": {"S": draw(texts)}}
    for name, value in zip(NAMES, (draw(times), draw(regions)), strict=True):
        if value is not None:
            image[name] = value
    return image


@st.composite
def changes(draw, keys=("a", "b", "c")):
    """Changes of few items, so that they meet."""
    image = draw(stamped_images())
    key = {"PK": {"S": draw(st.sampled_from(keys))}}
    operation = draw(st.sampled_from([PUT, DELETE]))
    image = {name: value for name, value in image.items() if name in NAMES} if operation == DELETE else image | key
    return Change(operation, "user-sg", key, image, draw(st.integers(1, 3)), 1700000000.0, draw(st.integers(0, 9)))
