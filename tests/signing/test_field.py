import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc_party.signing.field import (
    GROUP_ORDER,
    ScalarField,
    decode_scalar,
    encode_scalar,
    interpolate,
    lagrange,
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

    def value(x):
        return sum(c * x**k for k, c in enumerate(coefficients)) % GROUP_ORDER

    assert interpolate(xs, [value(x) for x in xs], at) == value(at)


def test_lagrange_weights_of_the_first_members():
    # By hand: through x = 1, 2 to 0 it is 2 y_1 - y_2; through 1, 2, 3 it is 3 y_1 - 3 y_2 + y_3.
    assert lagrange((1, 2)) == (2, GROUP_ORDER - 1)
    assert lagrange((1, 2, 3)) == (3, GROUP_ORDER - 3, 1)


@given(scalars)
def test_scalars_round_trip(value):
    assert decode_scalar(encode_scalar(value)) == value


@pytest.mark.parametrize(
    "data", [b"", b"\x01" * 31, b"\x01" * 33, GROUP_ORDER.to_bytes(32, "big"), b"\xff" * 32], ids=len
)
def test_what_is_no_scalar_is_refused(data):
    with pytest.raises(ValueError, match="not a scalar"):
        decode_scalar(data)
