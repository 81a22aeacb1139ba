import msgspec
import pytest

from coordinator.results import slowest, verify_result
from mpc_party.protocol.errors import Reason, ReportError
from mpc_party.protocol.messages import PhaseTimes
from tests.support.desks import Desks, commitment, result
from tests.support.signed_group import EXAMPLE, SignedGroup


@pytest.fixture(scope="module")
def desks():
    group = SignedGroup()
    group.at(EXAMPLE)
    return Desks(group)


@pytest.fixture(scope="module")
def proposal(desks):
    return desks.group.proposal(4)


def leaves(proposal):
    return [commitment(m, proposal).snapshot for m in proposal.committee]


def test_an_honest_result_is_verified(desks, proposal):
    verified = verify_result(result(desks, proposal), proposal, desks.group.consortium, leaves(proposal))
    assert verified.report.round == 4
    assert verified.report.instruments == len(proposal.instruments) == len(verified.book) // 32


@pytest.mark.parametrize(
    "changes",
    [
        {"round": 5},
        {"epoch": 2},
        {"consortium": b"\x01" * 32},
        {"model": b"\x01" * 32},
        {"book": b"\x01" * 32},
        {"observed_at": 1},
        {"valid_until": 2**40},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_signed_report_of_something_else_is_refused(desks, proposal, changes):
    with pytest.raises(ReportError, match=next(iter(changes))):
        verify_result(result(desks, proposal, **changes), proposal, desks.group.consortium, None)


def test_other_forwards_or_fewer_parameters_are_refused(desks, proposal):
    honest = desks.group.report(proposal)
    for changes, match in (
        ({"forwards": honest.forwards[:-1] + bytes([honest.forwards[-1] ^ 1])}, "forwards"),
        ({"params": honest.params[:-32]}, "parameters for"),
    ):
        with pytest.raises(ReportError, match=match):
            verify_result(result(desks, proposal, **changes), proposal, desks.group.consortium, None)


def test_inputs_other_than_the_commitments_are_refused(desks, proposal):
    swapped = leaves(proposal)[::-1]
    with pytest.raises(ReportError, match="other inputs"):
        verify_result(result(desks, proposal), proposal, desks.group.consortium, swapped)


def test_a_wrong_digest_or_signature_is_refused(desks, proposal):
    good = result(desks, proposal)
    with pytest.raises(ReportError, match="digest"):
        verify_result(msgspec.structs.replace(good, digest=bytes(32)), proposal, desks.group.consortium, None)
    foreign = msgspec.structs.replace(good, signature=SignedGroup().sign(good.digest))
    with pytest.raises(ReportError) as caught:
        verify_result(foreign, proposal, desks.group.consortium, None)
    assert caught.value.reason is Reason.SIGNATURE_INVALID
    with pytest.raises(ReportError):
        verify_result(msgspec.structs.replace(good, report=b"junk"), proposal, desks.group.consortium, None)


def test_a_phase_takes_as_long_as_its_slowest_party():
    times = [PhaseTimes(1, 9, 3, 4, 5, 22, 7, 8), PhaseTimes(2, 8, 3, 4, 5, 22, 7, 8)]
    assert slowest(times) == {"commit": 2, "compute": 9, "nonce": 3, "approve": 4, "sign": 5}
