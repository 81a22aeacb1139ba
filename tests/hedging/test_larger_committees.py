"""The joint program between five and seven desks, of which two and three may lie or pry."""

import numpy as np
import pytest
import torch

from mpc_party.hedging.aggregate import median_input
from mpc_party.hedging.exposure import check_exposure
from mpc_party.hedging.model import MINIMUM_VARIANCE, POLICY
from mpc_party.hedging.outputs import check_range
from mpc_party.hedging.program import compute
from mpc_party.hedging.replay import allowance, replay
from mpc_party.secure import ReplicatedShares, SecureSession, open_words_many
from mpc_party.secure.general import rehearse, used
from tests.support.joint import Joint, make_joint
from tests.support.secure_parties import give, run_secure, same

ULP = 2.0**-16
DESKS = {5: "abcde", 7: "abcdefg"}


def in_the_clear(joint: Joint) -> np.ndarray:
    weights = np.rint(np.array(joint.weights) / ULP) * ULP
    return replay(joint.public, [s.market for s in joint.snapshots], joint.kind, weights)


@pytest.mark.parametrize(("parties", "kind"), [(5, MINIMUM_VARIANCE), (5, POLICY), (7, MINIMUM_VARIANCE)])
def test_the_opened_table_is_that_of_the_replay_in_the_clear(parties, kind):
    joint = make_joint(most=60, kind=kind, desks=DESKS[parties])
    results = joint.run()
    assert all(np.array_equal(results[0].table, other.table) for other in results)
    error = np.abs(results[0].table * ULP - in_the_clear(joint))
    assert (error.max(axis=1) <= allowance(joint.public, kind, np.array(joint.weights), parties)).all()
    assert np.median(error / ULP) < 1.5
    for party, snapshot in zip(results, joint.snapshots, strict=True):
        check_range(joint.public, party)
        check_exposure(joint.public, party.table * ULP, snapshot.positions * ULP, party.exposure)


def rehearsed(joint: Joint, session: SecureSession):
    """What a party that knows only the round's public part finds that it is going to need."""
    blanks = make_joint(most=40, desks="abc").snapshots[0]

    def program(rehearsal):
        words = torch.zeros((len(rehearsal.held), len(joint.weights)), dtype=torch.int64)
        model = ReplicatedShares(rehearsal, words, rehearsal.fraction_bits)
        compute(rehearsal, joint.public, blanks, joint.kind, model)

    return rehearse(session, program)


@pytest.mark.parametrize("parties", [5, 7])
def test_all_that_the_program_uses_is_made_before_its_inputs(parties):
    joint = make_joint(most=40, desks=DESKS[parties])
    joint.run()
    for session in joint.sessions:
        threshold = session.threshold
        # Setup, what is prepared (a comparison, and as many rounds as its longest part), and the program.
        prepared = 1 + 5 + 2 * threshold + 2 * 6
        assert session.traffic.rounds == 1 + prepared + 24
        assert used(session) == rehearsed(joint, session)


@pytest.mark.parametrize(("parties", "liars"), [(5, (1, 3)), (7, (0, 2, 6))])
def test_as_many_liars_as_may_be_move_no_coefficient_beyond_the_others(parties, liars):
    joint = make_joint(most=20, desks=DESKS[parties])
    honest = np.delete(np.stack([s.market for s in joint.snapshots]), liars, axis=0)
    for liar in liars:
        joint.snapshots[liar].market[:-1] = round(1.5 / ULP)  # all on one side, far from the rest
    inputs = [torch.from_numpy(s.market) for s in joint.snapshots]

    def party(session):
        shared = [give(session, owner, value, 0) for owner, value in enumerate(inputs)]
        scaled = [ReplicatedShares(session, x.words, 16) for x in shared]
        return open_words_many([median_input(scaled)])[0]

    median = same(run_secure(party, committee=range(parties)).results).numpy()
    assert (median >= honest.min(axis=0)).all()
    assert (median <= honest.max(axis=0)).all()
    # The whole round is that of these medians.
    results = joint.run()
    error = np.abs(results[0].table * ULP - in_the_clear(joint))
    assert (error.max(axis=1) <= allowance(joint.public, parties=parties)).all()
    assert results[0].violations == (0,) * parties


@pytest.mark.parametrize("parties", [5, 7])
def test_one_liar_more_decides_alone(parties):
    """The bound is sharp: what t + 1 desks say together is what is computed."""
    joint = make_joint(most=10, desks=DESKS[parties])
    for snapshot in joint.snapshots[: parties // 2 + 1]:
        snapshot.market[0, 0] = round(1.5 / ULP)
    inputs = [torch.from_numpy(s.market) for s in joint.snapshots]

    def party(session):
        shared = [give(session, owner, value, 0) for owner, value in enumerate(inputs)]
        return open_words_many([median_input([ReplicatedShares(session, x.words, 16) for x in shared])])[0]

    assert same(run_secure(party, committee=range(parties)).results)[0, 0] == round(1.5 / ULP)
