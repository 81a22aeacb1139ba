"""What disclosures prove: each thing that a member could say wrongly is refused, and named where that is proven."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from mpc_party.audit.errors import AuditError
from mpc_party.audit.evidence import gather
from mpc_party.hedging.model import MINIMUM_VARIANCE
from mpc_party.hedging.snapshot import Snapshot
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.protocol.merkle import merkle_root
from mpc_party.protocol.messages import encode_message
from tests.audit.scene import COMMITTEE, NAMES, ROUND, WEIGHTS, Scene


def refused(scene, disclosures, report=None, *, match, culprit=None):
    with pytest.raises(AuditError, match=match) as caught:
        scene.gather(disclosures, report)
    assert caught.value.reason is Reason.DISCLOSURE_INVALID
    assert caught.value.culprit == culprit
    assert "\n" not in str(caught.value)


def proposal_with(scene, **changes):
    return encode_message(msgspec.structs.replace(scene.proposal, **changes))


def other_reference(scene):
    first = msgspec.structs.replace(scene.proposal.expiries[0], reference_vol=600_000)
    return proposal_with(scene, expiries=(first, *scene.proposal.expiries[1:]))


def recommitted(scene, member, market):
    """A round in which this member committed to these market words: its disclosure is true."""
    disclosure = msgspec.structs.replace(scene.disclosure(member), market=market)
    position = COMMITTEE.index(member)
    listed = list(scene.commitments)
    listed[position] = disclosure.commitment()
    given = [scene.disclosure(each, commitments=tuple(listed)) for each in COMMITTEE]
    given[position] = msgspec.structs.replace(disclosure, commitments=tuple(listed))
    report = msgspec.structs.replace(scene.report, inputs=merkle_root(listed))
    return [scene.opened(each) for each in given], report


def test_honest_disclosures_give_inputs_and_weights(scene):
    evidence = scene.gather(list(reversed(scene.disclosures())))
    assert evidence.proposal == scene.proposal
    assert evidence.kind == MINIMUM_VARIANCE
    np.testing.assert_allclose(evidence.weights, WEIGHTS, atol=2**-17)
    for words, member in zip(evidence.market, COMMITTEE, strict=True):
        np.testing.assert_array_equal(words, scene.snapshots[member].market)
    assert "alpha" not in repr(evidence)
    assert "0.4" not in repr(evidence)


def test_distances_are_from_the_median(scene):
    surfaces = np.stack([scene.snapshots[m].market[:-1] for m in COMMITTEE]) / 65536
    expected = np.abs(surfaces - np.sort(surfaces, axis=0)[1]).max(axis=(1, 2))
    np.testing.assert_allclose(scene.gather(scene.disclosures()).distances(), expected, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_market_data_that_were_not_committed_to_name_their_member(scene, name):
    member = COMMITTEE[NAMES.index(name)]
    words = bytearray(scene.disclosure(member).market)
    words[0] ^= 1
    refused(
        scene,
        scene.disclosures(**{name: {"market": bytes(words)}}),
        match=f"market data that {name} discloses are not those it committed to in round {ROUND}",
        culprit=name,
    )


@pytest.mark.parametrize("field", ["market_salt", "positions_leaf"])
def test_what_else_enters_the_commitment_names_its_member(scene, field):
    refused(scene, scene.disclosures(charlie={field: bytes(32)}), match="not those", culprit="charlie")


def test_one_who_takes_the_others_inputs_for_its_own_is_named(scene):
    other = scene.disclosure(0)
    changes = {
        "market": other.market,
        "market_salt": other.market_salt,
        "positions_leaf": other.positions_leaf,
    }
    refused(scene, scene.disclosures(delta=changes), match="not those", culprit="delta")


def test_a_false_list_of_commitments_names_who_signed_it(scene):
    listed = (scene.commitments[1], scene.commitments[0], scene.commitments[2])
    refused(scene, scene.disclosures(delta={"commitments": listed}), match="lists", culprit="delta")
    refused(
        scene, scene.disclosures(delta={"commitments": scene.commitments[:2]}), match="lists", culprit="delta"
    )


def test_one_list_is_enough_to_name_a_liar(scene):
    none = {"commitments": ()}
    words = bytes(len(scene.disclosure(2).market))
    given = scene.disclosures(alpha=none, charlie=none | {"market": words})
    refused(scene, given, match="not those", culprit="charlie")


def test_without_any_list_the_inputs_are_checked_together_and_nobody_is_named(scene):
    none = {name: {"commitments": ()} for name in NAMES}
    assert scene.gather(scene.disclosures(**none)).proposal == scene.proposal
    words = bytes(len(scene.disclosure(2).market))
    none["charlie"] = {"commitments": (), "market": words}
    refused(scene, scene.disclosures(**none), match="nobody can be named")


@pytest.mark.parametrize("value", [2 * 65536 + 1, -2 * 65536 - 1, 2**63 - 1, -(2**63)])
def test_an_input_out_of_range_is_named_although_it_was_committed_to(scene, value):
    words = scene.snapshots[2].market.copy()
    words[1, 1] = value
    given, report = recommitted(scene, 2, words.astype("<i8").tobytes())
    refused(scene, given, report, match="out of range", culprit="charlie")


def test_an_input_at_the_end_of_the_range_is_allowed(scene):
    words = scene.snapshots[2].market.copy()
    words[0, 0], words[1, 1] = 2 * 65536, -2 * 65536
    given, report = recommitted(scene, 2, words.astype("<i8").tobytes())
    assert scene.gather(given, report).distances()[1] > 1.5


def test_a_row_too_few_is_named(scene):
    words = scene.snapshots[2].market[1:]
    given, report = recommitted(scene, 2, words.astype("<i8").tobytes())
    refused(scene, given, report, match="3 rows for 3 expiries", culprit="charlie")


@pytest.mark.parametrize("field", ["epoch", "round", "observed_at", "valid_until", "book", "forwards"])
def test_a_proposal_that_is_not_the_reports_names_who_signed_it(scene, field):
    changes = {
        "book": {"instruments": scene.proposal.instruments[1:]},
        "forwards": {
            "expiries": (
                msgspec.structs.replace(scene.proposal.expiries[0], forward=1),
                *scene.proposal.expiries[1:],
            )
        },
    }.get(field, {field: 1 + getattr(scene.proposal, field, 0)})
    proposal = proposal_with(scene, **changes)
    refused(scene, scene.disclosures(alpha={"proposal": proposal}), match=f"alpha.*{field}", culprit="alpha")


@pytest.mark.parametrize("committee", [(0, 2, 4), (0, 2, 2), (3, 2, 0), (0, 1, 2, 3), (-1, 0, 2)])
def test_an_impossible_committee_names_who_signed_it(scene, committee):
    proposal = proposal_with(scene, committee=committee)
    refused(
        scene, scene.disclosures(alpha={"proposal": proposal}), match="impossible committee", culprit="alpha"
    )


@pytest.mark.parametrize("proposal", [b"", b"\xc0", b"\x00" * 100])
def test_what_is_no_proposal_names_who_signed_it(scene, proposal):
    refused(scene, scene.disclosures(delta={"proposal": proposal}), match="does not decode", culprit="delta")


def test_of_proposals_that_differ_beside_the_report_the_odd_one_is_false(scene):
    """Reference vols and the committee are not in the report: t + 1 = 2 equal ones are the round's."""
    for proposal in (other_reference(scene), proposal_with(scene, committee=(0, 1, 3))):
        refused(scene, scene.disclosures(delta={"proposal": proposal}), match="delta", culprit="delta")


def test_of_three_proposals_none_is_proven(scene):
    given = scene.disclosures(
        delta={"proposal": other_reference(scene)},
        alpha={"proposal": proposal_with(scene, deadline_ms=9_999)},
    )
    refused(scene, given, match="proposals disclosed differ")


def test_of_two_proposals_none_is_proven_until_a_third_is_disclosed(scene):
    given = scene.disclosures(delta={"proposal": other_reference(scene)})
    refused(scene, given[1:], match="proposals disclosed differ")


def test_a_share_of_the_model_that_was_not_dealt_names_its_member(scene):
    content = bytearray(scene.shares[3])
    content[-1] ^= 1
    refused(scene, scene.disclosures(delta={"model": bytes(content)}), match="share", culprit="delta")
    refused(scene, scene.disclosures(delta={"model": scene.shares[1]}), match="for member 1", culprit="delta")
    refused(scene, scene.disclosures(delta={"model": b"?"}), match="malformed", culprit="delta")


def test_a_share_of_another_model_names_its_member(scene):
    other = Scene(weights=(0.1, 0.1, 0.1))
    refused(
        scene, scene.disclosures(delta={"model": other.shares[3]}), match="another model", culprit="delta"
    )


def test_a_missing_member_is_asked_for_and_not_blamed(scene):
    with pytest.raises(ConfigError, match="no disclosure of charlie") as caught:
        scene.gather([each for each in scene.disclosures() if each.member != 2])
    assert caught.value.culprit is None
    with pytest.raises(ConfigError, match="no disclosure"):
        scene.gather([])


def test_a_liar_is_named_before_all_have_disclosed(scene):
    given = scene.disclosures(alpha={"market_salt": bytes(32)})[:1]
    refused(scene, given, match="not those", culprit="alpha")


def test_a_second_disclosure_of_a_member_is_refused(scene):
    refused(
        scene, [*scene.disclosures(), scene.opened(scene.disclosure(0))], match="two disclosures of alpha"
    )


def test_a_member_outside_the_committee_is_refused(scene):
    outsider = msgspec.structs.replace(scene.disclosure(0), member=1, model=scene.shares[1])
    refused(scene, [*scene.disclosures(), scene.opened(outsider)], match="bravo was not in the committee")


@pytest.mark.parametrize("changes", [{"round": ROUND + 1}, {"epoch": 2}])
def test_a_disclosure_of_another_round_is_no_proof_of_anything(scene, changes):
    refused(scene, scene.disclosures(delta=changes), match="delta's disclosure is of round")


def test_another_consortium_file_is_pointed_out(scene):
    refused(scene, scene.disclosures(delta={"consortium": bytes(32)}), match="another consortium file")


def test_a_model_that_this_program_does_not_know_is_refused(scene, monkeypatch):
    monkeypatch.setattr("mpc_party.hedging.model.COUNTS", {"another": 3})
    with pytest.raises(ConsortiumError) as caught:
        scene.gather(scene.disclosures())
    assert caught.value.reason is Reason.MODEL_MISMATCH


def test_snapshots_in_the_scene_differ():
    """Or a test that swaps them would show nothing."""
    scene = Scene()
    assert isinstance(scene.snapshots[0], Snapshot)
    assert len({scene.snapshots[m].market.tobytes() for m in COMMITTEE}) == 3


@pytest.mark.parametrize("shown", [True, False], ids=["in the report", "beside it"])
def test_who_prepared_for_another_proposal_of_that_number_is_not_named(scene, shown):
    """A coordinator proposes two things under one number: who promised the other one has another commitment, and did
    nothing wrong. That its disclosure does not belong here is said, and nobody is blamed."""
    other = (
        proposal_with(scene, observed_at=scene.proposal.observed_at + 60) if shown else other_reference(scene)
    )
    changes = {"proposal": other, "market_salt": bytes(32), "commitments": ()}
    refused(scene, scene.disclosures(delta=changes), match="delta")


def test_with_room_for_two_committees_another_list_convicts_nobody(scene):
    six = msgspec.structs.replace(
        scene.consortium, members=scene.consortium.members + scene.consortium.members[:2]
    )
    given = scene.disclosures(delta={"commitments": tuple(reversed(scene.commitments))})
    given = [msgspec.structs.replace(each, consortium=six.hash) for each in given]
    with pytest.raises(AuditError, match="delta lists") as caught:
        gather(scene.report, six, given)
    assert caught.value.culprit is None
