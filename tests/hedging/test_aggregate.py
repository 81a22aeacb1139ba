"""One party's lie: what it can move, and what names it."""

import numpy as np
import pytest
import torch

from mpc_party.hedging.aggregate import median_input, out_of_range
from mpc_party.hedging.exposure import NO_EXPOSURE
from mpc_party.hedging.outputs import Column, Opened, check_inputs
from mpc_party.market import RecordedChain
from mpc_party.market.black76 import greeks
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.secure import open_words_many
from tests.hedging.test_program import CHAIN, ULP
from tests.support.joint import make_joint
from tests.support.secure_parties import give, run_secure, same

LIMIT = round(2.0 / ULP)


def aggregated(words: list[torch.Tensor]) -> torch.Tensor:
    def program(session):
        inputs = [give(session, i, w.double() * ULP) for i, w in enumerate(words)]
        return open_words_many([median_input(inputs)])[0]

    return same(run_secure(program).results)


def counted(words: list[torch.Tensor]) -> list[int]:
    def program(session):
        inputs = [give(session, i, w, 0) for i, w in enumerate(words)]
        for each in inputs:
            each.fraction_bits = 16  # ring words as they are, which no encoding of a real number would give
        return open_words_many([out_of_range(inputs)])[0]

    return same(run_secure(program).results).tolist()


def test_the_median_of_inputs_at_the_edges():
    rows = torch.tensor(
        [[a, b, c] for a in (-LIMIT, 0, LIMIT) for b in (-LIMIT, 1, LIMIT) for c in (-1, LIMIT)]
    )
    found = aggregated(list(rows.T.reshape(3, -1, 3)))
    assert found.reshape(-1).tolist() == rows.median(dim=1).values.tolist()


def test_inputs_within_the_limit_count_nothing():
    edge = torch.tensor([[LIMIT, -LIMIT, 0]])
    assert counted([edge, -edge, edge * 0]) == [0, 0, 0]


@pytest.mark.parametrize(
    "word", [LIMIT + 1, -LIMIT - 1, 2**40, -(2**62), 2**63 - 1, -(2**63), 2**63 - LIMIT, -(2**63) + LIMIT - 1]
)
@pytest.mark.parametrize("liar", [0, 1, 2])
def test_an_input_beyond_the_limit_is_counted_for_its_owner(word, liar):
    words = [torch.tensor([[LIMIT, -LIMIT, 5]]) for _ in range(3)]
    words[liar] = torch.tensor([[0, word, 0]])
    counts = counted(words)
    assert counts[liar] in (1, 2)
    assert [count for party, count in enumerate(counts) if party != liar] == [0, 0]


def test_a_round_with_such_an_input_names_its_owner():
    opened = Opened(np.zeros((7, 1), dtype=np.int64), 16, (0, 0, 2))
    with pytest.raises(RoundError) as caught:
        check_inputs(opened, ("alice", "bob", "carol"))
    assert (caught.value.reason, caught.value.culprit) == (Reason.INPUT_OUT_OF_RANGE, "carol")
    check_inputs(Opened(opened.table, 16, (0, 0, 0)), ("alice", "bob", "carol"))


def test_the_program_opens_the_counts():
    joint = make_joint(most=10)
    joint.snapshots[1].market[0, 2] = LIMIT + 1
    assert [party.violations for party in joint.run()] == [(0, 1, 0)] * 3


def test_an_input_out_of_range_does_not_open_a_difference_of_the_others():
    """8 + m with m between two other inputs: its comparisons wrap to the opposite, and both others count as the middle."""
    joint = make_joint(most=10)
    for snapshot in joint.snapshots:
        snapshot.market[:] = 0
    others, lie = (round(0.125 / ULP), round(0.375 / ULP)), round(8.25 / ULP)
    for snapshot, word in zip(joint.snapshots, (others[0], lie, others[1]), strict=True):
        snapshot.market[0, 1] = word
    median = aggregated([torch.from_numpy(snapshot.market) for snapshot in joint.snapshots])
    assert median[0, 1] == others[0] - others[1] + lie  # who knows its lie would know the difference
    for party in joint.run():
        assert party.violations == (0, 1, 0)
        assert not party.table.any()
        assert party.exposure == NO_EXPOSURE
    # Three counts have left a party to be opened, and nothing else.
    assert {traffic.by_operation["open"].bytes_sent for traffic in joint.traffic} == {8 * 3}


def rmse(joint, chain) -> float:
    """Of the opened log-vols against the venue's own, where an option has a quarter of the most vega or more.

    Further out the three-parameter smile misses by so much that no lie would show.
    """
    public = joint.public
    marks = {
        (int(e), round(k, 6), bool(c)): mark
        for e, k, c, mark in zip(chain.expiry, chain.strike, chain.call, chain.mark_vol, strict=True)
    }
    expiry = public.grid.expiry[public.expiry_index]
    mark = np.array(
        [
            marks[int(e), round(k, 6), bool(c)]
            for e, k, c in zip(expiry, public.strike, public.call, strict=True)
        ]
    )
    opened = joint.run()[0]
    density = greeks(public.moneyness, mark, public.time, public.call).vega / np.sqrt(public.time)
    counts = np.isfinite(mark) & (density > 0.1)
    vol = public.reference_vol * opened.decoded(Column.VOL_RATIO)
    return float(np.sqrt(np.mean((np.log(vol / mark)[counts]) ** 2)))


@pytest.mark.skipif(
    not CHAIN.exists(), reason=f"needs the recorded chain: set MPC_CHAIN_FILE (looked for {CHAIN.name})"
)
@pytest.mark.parametrize("liar", [0, 1, 2])
@pytest.mark.parametrize("lie", [0.5, -0.5])
def test_a_party_that_adds_half_to_its_log_vols_hardly_moves_the_surface(liar, lie):
    source = RecordedChain(CHAIN)
    honest, lied = [], []
    for moment in source.times[5::75]:
        joint = make_joint(source, moment, most=1000)
        chain = source.at(moment)
        honest.append(rmse(joint, chain))
        joint.snapshots[liar].market[:-1, 0] += round(lie / ULP)
        lied.append(rmse(joint, chain))
    assert len(honest) >= 3
    without, with_lie = (np.sqrt(np.mean(np.square(values))) for values in (honest, lied))
    assert without < 0.03  # small enough for a lie of 0.5 to show
    assert with_lie < 1.2 * without
