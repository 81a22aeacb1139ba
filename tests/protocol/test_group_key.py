from __future__ import annotations

import hashlib

import msgspec
import pytest
from coincurve import PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.protocol.consortium import Consortium, GroupKey
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.group_key import ORDER, check_degree, check_group_key, group_key_statement
from tests.support.consortium import key_section, make_cast, public_points

CAST = make_cast(4)
COEFFICIENTS = [0xC0FFEE, 0xBEEF]
KEY = key_section(CAST, COEFFICIENTS)
scalars = st.integers(1, ORDER - 1)


def points(coefficients: list[int], n: int) -> tuple[PublicKey, list[PublicKey]]:
    public_key, shares = public_points(coefficients, n)
    return PublicKey(public_key), [PublicKey(share) for share in shares]


@settings(max_examples=15)
@given(st.lists(scalars, min_size=2, max_size=4))
def test_points_of_a_polynomial_of_degree_t_pass_and_of_a_higher_one_do_not(coefficients: list[int]) -> None:
    degree = len(coefficients) - 1
    try:
        public_key, shares = points(coefficients, 7)
    except ValueError:  # a share happens to be zero
        return
    check_degree(public_key, shares, degree)
    if degree > 1:
        with pytest.raises(ConfigError, match=r"key\.public"):
            check_degree(public_key, shares, degree - 1)


@pytest.mark.parametrize("index", range(4))
def test_one_wrong_share_is_found(index: int) -> None:
    public_key, shares = points(COEFFICIENTS, 4)
    shares[index] = shares[index].add((1).to_bytes(32, "big"))
    with pytest.raises(ConfigError, match=r"key\.public_(key|shares\[[23]\]): .*(interpolate|degree 1)"):
        check_degree(public_key, shares, 1)


def test_another_public_key_is_found() -> None:
    _, shares = points(COEFFICIENTS, 4)
    other, _ = points([1, 2], 4)
    with pytest.raises(ConfigError, match=r"key\.public_key"):
        check_degree(other, shares, 1)


def test_a_sum_at_infinity_is_no_key() -> None:
    """Shares of f(x) = x: f(0) is zero, and no public key is that."""
    point = PublicKey(public_points([1, 1], 1)[0])
    shares = [point.multiply(x.to_bytes(32, "big")) for x in range(1, 5)]
    with pytest.raises(ConfigError, match=r"key\.public_key"):
        check_degree(point, shares, 1)


def test_the_statement_is_what_the_specification_says() -> None:
    assert (
        group_key_statement(b"r" * 32, b"Y" * 33, [b"1" * 33, b"2" * 33])
        == hashlib.sha256(b"mpc-hedge/group-key/v1" + b"r" * 32 + b"Y" * 33 + b"1" * 33 + b"2" * 33).digest()
    )


def test_a_good_key_section_passes() -> None:
    check_group_key(CAST.consortium, KEY)


def changed(key: GroupKey, field: str, index: int | None, value: str) -> GroupKey:
    if index is None:
        return msgspec.structs.replace(key, **{field: value})
    values = list(getattr(key, field))
    values[index] = value
    return msgspec.structs.replace(key, **{field: tuple(values)})


@pytest.mark.parametrize(
    ("field", "index", "value"),
    [
        ("public_key", None, ""),
        ("public_key", None, "02" * 33),
        ("public_key", None, "02" + "ff" * 32),  # x above the field's prime
        ("public_key", None, "zz" * 33),
        ("public_key", None, KEY.public_key.upper()),
        ("public_key", None, PublicKey(bytes.fromhex(KEY.public_key)).format(compressed=False).hex()),
        ("public_key", None, KEY.public_shares[0]),
        ("public_shares", 2, "00" * 33),
        ("public_shares", 3, KEY.public_key),
        ("attestations", 1, ""),
        ("attestations", 1, "00" * 64),
        ("attestations", 1, KEY.attestations[0]),
        ("attestations", 1, KEY.attestations[1].upper()),
        ("attestations", 1, KEY.attestations[1] + "00"),
    ],
)
def test_a_bad_field_is_named(field: str, index: int | None, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"^key\.{field}"):
        check_group_key(CAST.consortium, changed(KEY, field, index, value))


def test_whose_attestation_fails_is_named() -> None:
    with pytest.raises(ConfigError) as refused:
        check_group_key(CAST.consortium, changed(KEY, "attestations", 2, KEY.attestations[0]))
    assert refused.value.culprit == "carol"


@pytest.mark.parametrize("field", ["public_shares", "attestations"])
def test_the_number_of_entries(field: str) -> None:
    short = msgspec.structs.replace(KEY, **{field: getattr(KEY, field)[:-1]})
    with pytest.raises(ConfigError, match=rf"key\.{field}: 3 entries for 4 members"):
        check_group_key(CAST.consortium, short)


@pytest.mark.parametrize("change", [{"epoch": 2}, {"id": "00" * 32}, {"threshold": 2}])
def test_a_key_made_for_another_roster_does_not_fit(change: dict[str, object]) -> None:
    other: Consortium = msgspec.structs.replace(CAST.consortium, **change)
    with pytest.raises(ConfigError, match="key"):
        check_group_key(other, KEY)
