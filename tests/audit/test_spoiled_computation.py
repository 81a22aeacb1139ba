"""The computation itself beside its replay: an honest one follows, and one that a party has spoiled unseen does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mpc_party.audit.evidence import Evidence
from mpc_party.audit.verdict import judge
from mpc_party.hedging.model import COUNTS, MINIMUM_VARIANCE, POLICY, encode_weights
from mpc_party.hedging.outputs import check_range, report_columns
from mpc_party.hedging.snapshot import Snapshot
from mpc_party.market.streams import normal
from mpc_party.protocol.words import pack_params
from tests.support.joint import WEIGHTS, make_joint

POLICY_WEIGHTS = tuple(0.05 * normal("test/policy", COUNTS[POLICY]))


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def played(joint):
    """The report's words of one computation; what a party checks in a round has passed."""
    opened = joint.run()[0]
    check_range(joint.public, opened)
    return pack_params(report_columns(joint.public, opened))


def evidence(joint, market):
    weights = np.array(encode_weights(joint.kind, joint.weights, 16)) * 2.0**-16
    return Evidence(None, joint.public, market, joint.kind, weights)


@pytest.mark.parametrize(("kind", "weights"), [(MINIMUM_VARIANCE, WEIGHTS), (POLICY, POLICY_WEIGHTS)])
def test_what_an_honest_committee_computes_follows(kind, weights):
    joint = make_joint()
    joint.kind, joint.weights = kind, weights
    committed = tuple(snapshot.market for snapshot in joint.snapshots)
    verdict = judge(played(joint), evidence(joint, committed))
    assert verdict.follows
    assert 0.0 < max(verdict.used.values()) < 0.8


def test_a_party_that_puts_in_other_than_it_committed_to_is_found_out_and_not_named():
    joint = make_joint()
    committed = tuple(snapshot.market for snapshot in joint.snapshots)
    lie = committed[1].copy()
    lie[:-1, 0] += round(0.5 * 65536)
    positions = joint.snapshots[1].positions / 65536
    joint.snapshots[1] = Snapshot(lie[:-1] / 65536, lie[-1] / 65536, positions, 16)
    params = played(joint)  # the median keeps the lie in range: nothing in the round has noticed
    assert judge(params, evidence(joint, (committed[0], lie, committed[2]))).follows
    verdict = judge(params, evidence(joint, committed))
    assert not verdict.follows
    assert "iv" in {each.field for each in verdict.differences}


def test_a_weight_that_was_not_dealt_is_found_out():
    joint = make_joint()
    committed = tuple(snapshot.market for snapshot in joint.snapshots)
    dealt = joint.weights
    joint.weights = (dealt[0] + 0.01, *dealt[1:])
    params = played(joint)
    joint.weights = dealt
    verdict = judge(params, evidence(joint, committed))
    assert {each.field for each in verdict.differences} == {"hedge_delta"}
