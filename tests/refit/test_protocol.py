"""A whole refit between members in hand: any number of them, one commitment, and deviations that end it for all."""

import msgspec
import numpy as np
import pytest

from mpc_party.mesh import FrameKind
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.refit.agreement import RefitParameters, agree
from mpc_party.refit.attestation import RefitRecord, attest, check_record, statement
from mpc_party.refit.equations import Equations
from mpc_party.refit.protocol import compute_refit, require_supported
from mpc_party.refit.solve import Scheme
from tests.support.local_mesh import local_mesh, party_outcomes
from tests.support.refits import PARAMETERS, consortium_of, desk_equations, identities, run_refit


def failures_of(run, *honest):
    return [run.outcomes[m] for m in honest if isinstance(run.outcomes[m], ConsortiumError)]


# Agreement


def agreed(parameters, consortia=None):
    consortia = consortia or [consortium_of(3)] * 3
    return party_outcomes(
        local_mesh(range(3)), lambda link: agree(link, consortia[link.own], parameters[link.own])
    )


def test_all_members_name_an_attempt_alike_and_every_attempt_differently():
    first, second = agreed([PARAMETERS] * 3), agreed([PARAMETERS] * 3)
    assert len({first[0], first[1], first[2]}) == 1
    assert first[0] != second[0]
    assert len(first[0]) == 32


@pytest.mark.parametrize(
    "changes",
    [
        {"ridge": 0.06},
        {"half_life": 15.0},
        {"start": 5},
        {"end": 10**9},
        {"intervals": 21},
        {"underlying": "ETH"},
        {"kind": "quadratic-policy-6-16-16"},
        {"version": 2},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_member_that_gives_something_else_is_named_with_the_field(changes):
    other = msgspec.structs.replace(PARAMETERS, **changes)
    outcomes = agreed([PARAMETERS, PARAMETERS, other])
    for member in (0, 1):
        error = outcomes[member]
        assert (error.reason, error.culprit) == (Reason.PROGRAM_MISMATCH, "carol")
        assert next(iter(changes)) in error.message
    assert outcomes[2].culprit == "alice"


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", msgspec.msgpack.encode(["refit"]), msgspec.msgpack.encode(["refit", [], bytes(32)])],
)
def test_a_beginning_that_is_none_is_refused_by_name(data):
    links = local_mesh(range(3))
    links[1].tamper = lambda _peer, _kind, _data: data
    outcomes = party_outcomes(links, lambda link: agree(link, consortium_of(3), PARAMETERS))
    assert (outcomes[0].reason, outcomes[0].culprit) == (Reason.PROGRAM_MISMATCH, "bob")


def wider(data):
    """The same message with its array's length in three bytes instead of one."""
    assert data[0] == 0x93
    return b"\xdc\x00\x03" + data[1:]


def test_a_second_encoding_is_refused():
    links = local_mesh(range(3))
    links[1].tamper = lambda _peer, _kind, data: wider(data)
    outcomes = party_outcomes(links, lambda link: agree(link, consortium_of(3), PARAMETERS))
    assert "second encoding" in outcomes[0].message
    assert outcomes[0].culprit == "bob"


@pytest.mark.parametrize("told", [0, 3], ids=["of the committee", "outside"])
def test_who_tells_members_different_random_bytes_has_no_honest_member_named(told):
    """Bob tells one member other random bytes than the rest: it must not look as if that member had another attempt."""
    links, consortium = local_mesh(range(4)), consortium_of(4)

    def tamper(peer, kind, data):
        begins = kind is FrameKind.CEREMONY and b"refit" in data[:8]
        return data[:-1] + bytes([data[-1] ^ 1]) if begins and peer == told else data

    links[1].tamper = tamper

    def member(link):
        ceremony = agree(link, consortium, PARAMETERS)
        share = compute_refit(link, consortium, ceremony, PARAMETERS, desk_equations(link.own))
        sign = identities(4)[link.own].sign
        return attest(link, consortium, ceremony, PARAMETERS, share.commitment, sign)

    outcomes = party_outcomes(links, member)
    errors = [outcomes[m] for m in (0, 2, 3) if isinstance(outcomes[m], ConsortiumError)]
    assert isinstance(outcomes[told], ConsortiumError)
    assert {error.culprit for error in errors} == {None}
    assert {error.reason for error in errors} == {Reason.ECHO_MISMATCH}
    assert not any(isinstance(outcomes[m], RefitRecord) for m in (0, 2, 3))


# The whole


@pytest.mark.parametrize("members", [3, 5])
def test_rounds_of_a_refit(members):
    run = run_refit([desk_equations(seed) for seed in range(members)])
    assert len({share.commitment for share in run.shares}) == 1
    squarings = Scheme(members, PARAMETERS.ridge).squarings
    # 2 takes part in all rounds, and has no part in what 0 deals to 1 ahead. Agreement, seeds, inputs, check, solve, shares
    # at rest.
    outside = 2 if members > 3 else 0
    assert run.links[2].rounds == 2 + 1 + 1 + outside + 6 + 19 + squarings + 3
    for link in run.links[3:]:
        assert link.rounds == 2 + 1 + 2
    assert max(link.sent_bytes for link in run.links) < 20_000


@pytest.mark.parametrize("liar", [0, 2, 3])
def test_a_liar_is_named_also_one_outside_of_the_committee(liar):
    inputs = [desk_equations(seed) for seed in range(4)]
    inputs[liar] = Equations(1.1 * inputs[liar].root)
    run = run_refit(inputs)
    errors = failures_of(run, *range(3))
    assert len(errors) == 3
    assert {error.culprit for error in errors} == {run.consortium.names[liar]}


def test_an_outside_member_that_deals_two_different_inputs_is_found_out():
    def attack(link):
        if link.own == 3:
            link.tamper = lambda peer, _kind, data: bytes([data[0] ^ 1]) + data[1:] if peer == 1 else data

    run = run_refit([desk_equations(seed) for seed in range(4)], attack=attack)
    errors = [error for error in failures_of(run, 0, 1, 2) if error.reason is Reason.ECHO_MISMATCH]
    assert errors
    assert all("dave" in error.message for error in errors)


def test_an_outside_members_frame_of_another_length_names_it():
    def attack(link):
        if link.own == 3:
            link.tamper = lambda _peer, _kind, data: data[:-8]

    run = run_refit([desk_equations(seed) for seed in range(4)], attack=attack)
    assert {(e.reason, e.culprit) for e in failures_of(run, 0, 1, 2)} == {(Reason.FRAME_MALFORMED, "dave")}


def test_an_outside_members_input_is_uniform_to_each_of_the_committee():
    """It deals three components, of which a committee member gets two: nothing small, nothing that repeats."""
    run = run_refit([desk_equations(0)] * 4)
    frames = [
        data for link in run.links[:3] for peer, _, data in link.received if peer == 3 and len(data) == 192
    ]
    assert len(frames) == 3
    for frame in frames:
        first, second = np.frombuffer(frame, dtype="<i8").reshape(2, 12)
        for words in (first, second, first + second, first - second):
            assert (np.abs(words.astype(np.float64)) > 2.0**30).all()


def test_another_threshold_is_refused_with_the_way_out():
    with pytest.raises(ConfigError, match="mpc-models deal"):
        require_supported(consortium_of(5, threshold=2))
    require_supported(consortium_of(4))


# Attestation


def attested(signers=None, tamper=None):
    consortium = consortium_of(3)
    links = local_mesh(range(3))
    links[1].tamper = tamper
    signers = signers or [identity.sign for identity in identities(3)]
    return party_outcomes(
        links, lambda link: attest(link, consortium, bytes(32), PARAMETERS, b"\1" * 32, signers[link.own])
    )


def test_all_members_hold_the_same_record_which_anybody_can_check():
    records = attested()
    assert records[0] == records[1] == records[2]
    assert records[0].model == "01" * 32
    check_record(consortium_of(3), records[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "02" * 32},
        {"ceremony": "02" * 32},
        {"parameters": RefitParameters("ETH")},
        {"attestations": ()},
        {"attestations": ("00" * 64,) * 3},
        {"attestations": ("",) * 3},
    ],
    ids=["model", "ceremony", "parameters", "none", "zeros", "empty"],
)
def test_a_record_that_the_members_did_not_sign_is_refused(changes):
    record = msgspec.structs.replace(attested()[0], **changes)
    with pytest.raises(ConsortiumError) as caught:
        check_record(consortium_of(3), record)
    assert caught.value.reason is Reason.MODEL_MISMATCH


def test_a_member_that_signs_another_commitment_is_named():
    signers = [identity.sign for identity in identities(3)]
    other = statement(consortium_of(3), bytes(32), PARAMETERS, b"\2" * 32)
    signers[2] = lambda _data: identities(3)[2].sign(other)
    outcomes = attested(signers)
    assert {(outcomes[m].reason, outcomes[m].culprit) for m in (0, 1)} == {(Reason.MODEL_MISMATCH, "carol")}


def test_a_signature_of_another_length_is_refused():
    outcomes = attested(tamper=lambda _peer, _kind, data: data + b"\0")
    assert {outcomes[m].culprit for m in (0, 2)} == {"bob"}


def test_the_statement_binds_all_its_parts():
    consortium = consortium_of(3)
    base = statement(consortium, bytes(32), PARAMETERS, bytes(32))
    others = [
        statement(consortium_of(4), bytes(32), PARAMETERS, bytes(32)),
        statement(consortium, b"\1" + bytes(31), PARAMETERS, bytes(32)),
        statement(consortium, bytes(32), RefitParameters("ETH"), bytes(32)),
        statement(consortium, bytes(32), PARAMETERS, b"\1" + bytes(31)),
    ]
    assert len({base, *others}) == 5
