import coincurve
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.signing.curve import (
    Point,
    add,
    linear_combination,
    multiply_base,
    multiply_public,
    multiply_secret,
)
from mpc_party.signing.field import GROUP_ORDER
from tests.support.plain_scalars import hidden

FIELD_PRIME = 2**256 - 2**32 - 977
GX = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798
scalars = st.integers(1, GROUP_ORDER - 1)

# k, x, y of k G: the well-known list of secp256k1 test vectors (Chuck Batson's)
VECTORS = [
    (1, GX, 0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8),
    (
        2,
        0xC6047F9441ED7D6D3045406E95C07CD85C778E4B8CEF3CA7ABAC09B95C709EE5,
        0x1AE168FEA63DC339A3C58419466CEAEEF7F632653266D0E1236431A950CFE52A,
    ),
    (
        3,
        0xF9308A019258C31049344F85F89D5229B531C845836F99B08601F113BCE036F9,
        0x388F7B0F632DE8140FE337E62A37F3566500A99934C2231B6CB9FD7584B8E672,
    ),
    (
        20,
        0x4CE119C96E2FA357200B559B2F7DD5A5F02D5290AFF74B03F3E471B273211C97,
        0x12BA26DCB10EC1625DA61FA10A844C676162948271D96967450288EE9233DC3A,
    ),
    (
        112233445566778899,
        0xA90CC3D3F3E146DAADFC74CA1372207CB4B725AE708CEF713A98EDD73D99EF29,
        0x5A79D6B289610C68BC3B47F3D72F9788A26A06868B4D8E433E1E2AD76FB7DC76,
    ),
    (GROUP_ORDER - 1, GX, 0xB7C52588D95C3B9AA25B0403F1EEF75702E84BB7597AABE663B82F6F04EF2777),
]


def uncompressed(point):
    return coincurve.PublicKey(point.encode()).format(compressed=False)[1:]


@pytest.mark.parametrize(("scalar", "x", "y"), VECTORS)
def test_known_multiples_of_the_generator(scalar, x, y):
    expected = x.to_bytes(32, "big") + y.to_bytes(32, "big")
    generator = multiply_base(1)
    for point in (
        multiply_base(scalar),
        multiply_base(hidden(scalar)),
        multiply_secret(hidden(scalar), generator),
        multiply_public(scalar, generator),
    ):
        assert point is not None
        assert uncompressed(point) == expected
        assert point.x == x
        assert point.y_is_odd == bool(y & 1)
        assert point.encode() == bytes([2 + (y & 1)]) + x.to_bytes(32, "big")


def affine_add(left, right):
    """The textbook group law, as an oracle."""
    if left is None:
        return right
    if right is None:
        return left
    (x1, y1), (x2, y2) = left, right
    if x1 == x2 and (y1 + y2) % FIELD_PRIME == 0:
        return None
    if left == right:
        slope = 3 * x1 * x1 * pow(2 * y1, -1, FIELD_PRIME)
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, FIELD_PRIME)
    x = (slope * slope - x1 - x2) % FIELD_PRIME
    return x, (slope * (x1 - x) - y1) % FIELD_PRIME


def affine(point):
    if point is None:
        return None
    data = uncompressed(point)
    return int.from_bytes(data[:32], "big"), int.from_bytes(data[32:], "big")


@settings(max_examples=30)
@given(scalars, scalars)
def test_addition_is_the_group_law(a, b):
    left, right = multiply_base(a), multiply_base(b)
    assert affine(add([left, right])) == affine_add(affine(left), affine(right))
    assert affine(add([left, left])) == affine_add(affine(left), affine(left))
    assert add([left, -left]) is None


@settings(max_examples=30)
@given(scalars, scalars)
def test_the_three_multiplications_agree_with_each_other_and_with_coincurve(a, b):
    point = multiply_base(a)
    product = multiply_base(a * b % GROUP_ORDER)
    assert multiply_secret(hidden(b), point) == product
    assert multiply_base(hidden(a)) == point
    assert multiply_public(b, point) == product
    assert coincurve.PublicKey(point.encode()).multiply(b.to_bytes(32, "big")).format() == product.encode()


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, GROUP_ORDER - 1), scalars), max_size=5))
def test_linear_combination_is_linear(terms):
    points = [multiply_base(exponent) for _, exponent in terms]
    total = sum(weight * exponent for weight, exponent in terms) % GROUP_ORDER
    expected = None if total == 0 else multiply_base(total)
    assert linear_combination([weight for weight, _ in terms], points) == expected


def test_small_public_scalars():
    point = multiply_base(5)
    assert multiply_public(0, point) is None
    assert multiply_public(GROUP_ORDER, point) is None
    assert multiply_public(1, point) == point
    assert multiply_public(GROUP_ORDER - 1, point) == -point == multiply_base(GROUP_ORDER - 5)


def test_a_result_does_not_share_memory_with_its_argument():
    point = multiply_base(5)
    before = point.encode()
    multiply_public(7, point)
    negative = -point
    assert -negative == point != negative
    assert multiply_secret(hidden(1), point) == point
    assert point.encode() == before == multiply_base(5).encode()


@pytest.mark.parametrize("scalar", [0, -1, GROUP_ORDER, GROUP_ORDER + 1, 2**256])
def test_public_scalars_out_of_range_are_refused(scalar):
    with pytest.raises(ValueError, match="out of range"):
        multiply_base(scalar)


def test_a_secret_multiplication_takes_no_plain_integer():
    with pytest.raises(AttributeError):
        multiply_secret(5, multiply_base(2))


@settings(max_examples=30)
@given(scalars)
def test_points_round_trip(scalar):
    point = multiply_base(scalar)
    again = Point.decode(point.encode())
    assert again == point
    assert hash(again) == hash(point)
    assert point != point.encode()


G = bytes([2]) + GX.to_bytes(32, "big")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",  # infinity in SEC 1
        G[:-1],
        G + b"\0",
        bytes([4]) + G[1:],
        bytes([0]) + G[1:],
        bytes([5]) + G[1:],
        bytes([2]) + (5).to_bytes(32, "big"),  # 5^3 + 7 is no square
        bytes([2]) + FIELD_PRIME.to_bytes(32, "big"),
        bytes([2]) + (FIELD_PRIME + 1).to_bytes(32, "big"),  # 1^3 + 7 is a square, but not reduced
        b"\xff" * 33,
        uncompressed(multiply_base(1)),
        b"\x04" + uncompressed(multiply_base(1)),
    ],
)
def test_what_is_no_compressed_point_is_refused(data):
    with pytest.raises(ValueError, match="not a "):
        Point.decode(data)
