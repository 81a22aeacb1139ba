"""Checking what is opened, and computing it again."""

import pytest
import torch

from mpc_party.protocol.errors import Reason
from mpc_party.secure import (
    OutOfRangeError,
    ReplicatedShares,
    open_shares,
    reduce,
    require_in_range,
    until_in_range,
)
from tests.support.secure_parties import give, run_secure, same


def test_what_is_out_of_range_is_counted_and_not_shown():
    values = torch.tensor([0.5, -0.25, 1.0, float("nan"), 12345.0])
    assert require_in_range(values[:3], -1, 1, "deltas") is not None
    with pytest.raises(OutOfRangeError) as caught:
        require_in_range(values, -1, 1, "deltas")
    assert caught.value.reason is Reason.COMPUTATION_OUT_OF_RANGE
    assert "2 of 5 opened values of deltas" in str(caught.value)
    assert "12345" not in str(caught.value)


def test_a_wild_truncation_is_computed_again_until_it_comes_out_right():
    # 40 words near 2^58: a truncation of them all is right with probability (1 - 2^-6)^40 = 0.53.
    words = torch.full((40,), 2**58)

    def program(session):
        x = ReplicatedShares(session, give(session, 1, words, 0).words, 16)
        runs = []

        def once():
            runs.append(open_shares(reduce(x, 0)))
            return require_in_range(runs[-1], 0, 2.0**43, "results")

        values = until_in_range(once, attempts=40)
        assert session.traffic.repeats == len(runs) - 1
        return torch.stack([values, torch.full_like(values, len(runs))])

    runs = []
    for seed in range(12):
        values, count = same(run_secure(program, seed=seed).results)
        assert torch.equal(values, torch.full((40,), 2.0**42, dtype=torch.float64))
        runs.append(int(count[0]))
    assert (
        max(runs) > 1
    )  # 12 times right at once: 5 in 10,000; the randomness is the same in every run of this test


def test_what_never_comes_into_range_ends_the_round_after_so_many_attempts():
    def program(session):
        x = give(session, 0, torch.tensor([2.0]))
        with pytest.raises(OutOfRangeError):
            until_in_range(lambda: require_in_range(open_shares(x), -1, 1, "results"), attempts=4)
        return session.traffic.repeats, session.traffic.by_operation["open"].rounds

    assert run_secure(program).results == [(3, 4)] * 3


def test_other_errors_are_not_repeated():
    def program(session):
        def fails():
            raise ValueError("something else")

        with pytest.raises(ValueError, match="something else"):
            until_in_range(fails)
        with pytest.raises(ValueError, match="at least once"):
            until_in_range(fails, attempts=0)
        return session.traffic.repeats

    assert run_secure(program).results == [0] * 3
