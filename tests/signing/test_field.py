import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.signing.field import (
    GROUP_ORDER,
    ScalarField,
    coordinate,
    decode_scalar,
    encode_scalar,
    evaluate,
    interpolate,
    lagrange,
    split,
)

scalars = st.integers(0, GROUP_ORDER - 1)

IMPORT_AND_REPORT = """
import asyncio, json, logging, os, sys
sys.argv = ["mpc-party", "-V", "-M", "no number", "-C", "--no-such-option"]
before = dict(os.environ)
root = logging.getLogger()
state = (list(root.handlers), root.level, asyncio.get_event_loop_policy())
import mpc_party.signing
after = (list(root.handlers), root.level, asyncio.get_event_loop_policy())
banned = {"mpyc.runtime", "mpyc.asyncoro", "numpy", "torch", "crypten"}
print(json.dumps([before == dict(os.environ), state == after, sorted(banned & set(sys.modules))]))
"""


def test_importing_signing_reads_no_arguments_and_leaves_the_process_alone():
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_AND_REPORT], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [True, True, []]
    assert not done.stderr


def test_the_field_is_mpycs_and_its_order_is_the_curves():
    # SEC 2, version 2.0, section 2.4.1
    assert GROUP_ORDER == 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    assert ScalarField.modulus == GROUP_ORDER
    assert int(ScalarField(GROUP_ORDER + 5)) == 5


@given(st.lists(scalars, min_size=1, max_size=6), st.integers(0, 300))
def test_evaluation_agrees_with_mpycs_field(coefficients, at):
    expected = sum(
        (ScalarField(c) * ScalarField(at) ** k for k, c in enumerate(coefficients)), ScalarField(0)
    )
    assert evaluate(coefficients, at) == expected.value % GROUP_ORDER


@given(st.data())
def test_interpolation_from_any_coordinates_gives_back_the_polynomial(data):
    coefficients = data.draw(st.lists(scalars, min_size=1, max_size=6))
    xs = tuple(
        data.draw(
            st.lists(
                st.integers(1, 250), min_size=len(coefficients), max_size=len(coefficients) + 2, unique=True
            )
        )
    )
    at = data.draw(st.integers(0, 260))
    assert interpolate(xs, [evaluate(coefficients, x) for x in xs], at) == evaluate(coefficients, at)


def test_lagrange_weights_of_the_first_members():
    # By hand: through x = 1, 2 to 0 it is 2 y_1 - y_2; through 1, 2, 3 it is 3 y_1 - 3 y_2 + y_3.
    assert lagrange((1, 2)) == (2, GROUP_ORDER - 1)
    assert lagrange((1, 2, 3)) == (3, GROUP_ORDER - 3, 1)


@given(st.lists(scalars, min_size=1, max_size=5), st.integers(1, 4))
def test_shares_have_the_degree_asked_for_and_no_lower(values, degree):
    members = degree + 3
    rows = split(values, degree, members)
    for column, value in enumerate(values):
        shares = [row[column] for row in rows]
        xs = tuple(map(coordinate, range(members)))
        assert interpolate(xs[: degree + 1], shares[: degree + 1]) == value
        assert interpolate(xs[-degree - 1 :], shares[-degree - 1 :]) == value
        assert interpolate(xs[:degree], shares[:degree]) != value  # t shares do not give it (up to 1/q)


def test_equal_secrets_get_unequal_shares():
    rows = split([7] * 200, 1, 3)
    for row in rows:
        assert len(set(row)) == 200


def test_one_share_is_uniform_whatever_the_secret():
    # Top byte of one member's share of 0 and of q - 1: a chi-squared statistic with 255 degrees of freedom is
    # below 400 except with probability 1e-8.
    for secret in (0, GROUP_ORDER - 1):
        shares = split([secret] * 20_480, 1, 3)[1]
        counts = [0] * 256
        for share in shares:
            counts[share >> 248] += 1
        assert sum((count - 80) ** 2 / 80 for count in counts) < 400


@given(scalars)
def test_scalars_round_trip(value):
    assert decode_scalar(encode_scalar(value)) == value


@pytest.mark.parametrize(
    "data", [b"", b"\x01" * 31, b"\x01" * 33, GROUP_ORDER.to_bytes(32, "big"), b"\xff" * 32], ids=len
)
def test_what_is_no_scalar_is_refused(data):
    with pytest.raises(ValueError, match="not a scalar"):
        decode_scalar(data)
