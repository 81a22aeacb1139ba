"""Reproducible noise: the same numbers for ever, inside (0, 1), and as uniform and normal as they say."""

import hashlib

import numpy as np
import pytest
from scipy.stats import kstest

from mpc_party.market import streams
from mpc_party.market.streams import normal, uniform

GOLDEN_UNIFORM = [0.3933313983136567, 0.7962563936183894, 0.7055615147784323, 0.07899039776325167]
GOLDEN_NORMAL = [-0.27064667108467877, 0.8283236851619342, 0.5404641609651607, -1.411895287493289]


def test_golden_values():
    # SHAKE-256("mpc-hedge/market/v1/golden"), 52 bits and a half of each little-endian word.
    assert uniform("golden", 4).tolist() == GOLDEN_UNIFORM
    assert np.allclose(normal("golden", 4), GOLDEN_NORMAL, rtol=1e-14, atol=0)


def test_the_definition_by_integers():
    raw = hashlib.shake_256(b"mpc-hedge/market/v1/label").digest(24)
    words = [int.from_bytes(raw[i : i + 8], "little") >> 12 for i in (0, 8, 16)]
    assert uniform("label", 3).tolist() == [(2 * word + 1) / 2**53 for word in words]


@pytest.mark.parametrize("byte", [b"\x00", b"\xff"])
def test_the_ends_are_never_reached(monkeypatch, byte):
    class Constant:
        def __init__(self, _):
            pass

        def digest(self, count):
            return byte * count

    monkeypatch.setattr(streams.hashlib, "shake_256", Constant)
    assert 0.0 < uniform("x", 1)[0] < 1.0
    assert np.isfinite(normal("x", 1)).all()


def test_prefixes_agree_and_labels_differ():
    assert uniform("a", 10)[:4].tolist() == uniform("a", 4).tolist()
    assert (uniform("a", 10) != uniform("b", 10)).all()
    assert uniform("a", 0).shape == (0,)


def test_distributions():
    assert kstest(uniform("distribution", 20_000), "uniform").pvalue > 1e-3
    assert kstest(normal("distribution", 20_000), "norm").pvalue > 1e-3
