"""Evidence of a failed resharing and of a failed recovery, judged from the file and the consortium files alone."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.group_key import check_group_key
from mpc_party.signing.channel import SignedMessage
from mpc_party.signing.evidence import Evidence
from mpc_party.signing.judge_recover import RecoverCase
from mpc_party.signing.judge_reshare import ReshareCase
from mpc_party.signing.judges import case_of, judge, names_in
from mpc_party.signing.verdict import Fault, Proof
from tests.support.reshare_cheats import Cheat
from tests.support.reshare_runs import shaped
from tests.support.reshare_world import TwoEpochs, keys_of

BOB, DAVE = 1, 3


@pytest.fixture(scope="module")
def world():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mpc_party.signing.dispute.SECONDS", 2.0)
        yield TwoEpochs()


def reshare_error(world, own, step, how):
    keys = keys_of(world.identities[own], world.identities)
    session = case_session(world)
    return world.reshare(own, Cheat(own, session, keys, step, how, None))[0]


def case_session(world):
    from mpc_party.signing import ReshareContext  # noqa: PLC0415
    from tests.support.reshare_world import CEREMONY  # noqa: PLC0415

    return ReshareContext.between(world.old, world.new, CEREMONY).session


@pytest.fixture(scope="module")
def by_bob(world):
    """Bob, who leaves, deals a share off his polynomial."""
    return reshare_error(world, BOB, "reshare-deal", "off the polynomial")


def test_an_honest_resharing_gives_a_file_that_its_members_can_attest(world):
    results = world.reshare(None, None)
    share = results[0]
    key = msgspec.structs.replace(
        world.old.key,
        public_key=share.public_key.hex(),
        public_shares=tuple(point.hex() for point in share.public_shares),
        attestations=tuple(world.identities[i].sign(results[i].attestation).hex() for i in (0, 2, 3)),
    )
    check_group_key(world.new, key)
    assert results[BOB].attestation == share.attestation
    assert share.address == world.old.group_address


def test_a_file_names_who_deals_a_wrong_share(world, by_bob):
    evidence = Evidence.decode(by_bob.evidence.encode())
    verdict = judge(evidence, world.old, world.new)
    assert (BOB, Fault.WRONG_DEAL, Proof.SIGNED) in {f[:3] for f in verdict.findings}
    assert verdict.proven == (BOB,)
    assert names_in(evidence, world.old, world.new) == ("alice", "bob", "carol", "dave")
    assert "resharing" in case_of(evidence).describe()
    assert case_of(evidence).label.startswith("2-0c0c0c0c-reshare")
    # The new file may have its key by then.
    assert judge(evidence, world.old, msgspec.structs.replace(world.new, key=world.old.key)) == verdict


def test_a_member_that_joins_is_judged_by_the_key_in_the_new_file(world):
    error = reshare_error(world, DAVE, "reshare-confirm", "another result")
    assert error.culprit == "dave"
    assert judge(error.evidence, world.old, world.new).proven == (DAVE,)
    # By another file than the one that the session was for, nothing is judged.
    stranger = TwoEpochs().identities[3].member
    other = msgspec.structs.replace(world.new, members=(*world.new.members[:2], stranger))
    with pytest.raises(ConfigError) as raised:
        judge(error.evidence, world.old, other)
    assert raised.value.reason is Reason.CONSORTIUM_MISMATCH


def test_it_takes_the_files_of_both_epochs(world, by_bob):
    def refusal(*files: Consortium | None) -> ConfigError:
        with pytest.raises(ConfigError) as raised:
            judge(by_bob.evidence, *files)
        assert raised.value.reason is Reason.CONSORTIUM_MISMATCH
        return raised.value

    assert "--successor" in refusal(world.old).remedy
    assert "another consortium file" in refusal(world.old, world.old).message
    assert "--consortium" in refusal(world.new, world.new).remedy
    reordered = msgspec.structs.replace(world.new, members=world.new.members[::-1])
    refusal(world.old, reordered)
    refusal(msgspec.structs.replace(world.old, name="another"), world.new)


def test_a_case_with_other_seats_than_the_files_is_refused(world, by_bob):
    case = case_of(by_bob.evidence)
    swapped = msgspec.structs.replace(case, new_seats=(1, None, 0, 2))
    assert "other seats" in swapped.misfit_of_successor(world.old, world.new)
    forged = msgspec.structs.replace(by_bob.evidence, case=msgspec.msgpack.encode(swapped))
    with pytest.raises(ConfigError):
        judge(forged, world.old, world.new)


def test_a_recovery_is_judged_by_the_one_consortium_file(world):
    from mpc_party.signing import RecoverContext  # noqa: PLC0415
    from tests.support.reshare_world import CEREMONY  # noqa: PLC0415

    context = RecoverContext.of_consortium(world.old, "bob", ["alice", "carol"], CEREMONY)
    keys = keys_of(world.identities[2], world.identities[:3])
    outcomes = world.recover(2, Cheat(2, context.session, keys, "recover-sum", "off", None))
    error = outcomes[1]
    assert error.culprit == "carol"
    evidence = Evidence.decode(error.evidence.encode())
    assert (2, Fault.WRONG_SUM, Proof.SIGNED) in {f[:3] for f in judge(evidence, world.old).findings}
    assert names_in(evidence, world.old) == ("alice", "bob", "carol")
    assert "recovery" in case_of(evidence).describe()
    assert case_of(evidence).label.endswith("-recover")
    with pytest.raises(ConfigError):
        judge(evidence, world.new)
    with pytest.raises(ConfigError):
        judge(evidence, msgspec.structs.replace(world.old, name="another"))


@pytest.mark.parametrize("kind", ["reshare", "recover"])
def test_cases_have_one_encoding_and_refuse_what_does_not_belong_together(kind):
    if kind == "reshare":
        case = ReshareCase.of(shaped("4/1 -> 4/1, one replaced").context)
        changes = [
            {"threshold": 2},
            {"dealers": (0,)},
            {"public_key": b"\x02" + bytes(32)},
            {"participants": ()},
        ]
    else:
        from tests.support.recover_runs import loss  # noqa: PLC0415

        case = RecoverCase.of(loss(4, 1, 0, (1, 2), (3,)).context)
        changes = [
            {"threshold": 2},
            {"helpers": (1,)},
            {"public_key": b"\x02" + bytes(32)},
            {"recovering": 1},
        ]
    data = msgspec.msgpack.encode(case)
    assert msgspec.msgpack.decode(data, type=type(case)) == case
    fields = list(msgspec.structs.asdict(case))
    for change in changes:
        values = msgspec.msgpack.decode(data)
        for name, value in change.items():
            values[1 + fields.index(name)] = value
        with pytest.raises(msgspec.DecodeError):
            msgspec.msgpack.decode(msgspec.msgpack.encode(values), type=type(case))


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_damaged_or_forged_evidence_never_blames_anybody_who_did_not_sign_it(by_bob, world, data):
    statements = list(by_bob.evidence.statements)
    index = data.draw(st.integers(0, len(statements) - 1))
    statement = statements[index]
    position = data.draw(st.integers(0, len(statement.body) - 1))
    flipped = bytearray(statement.body)
    flipped[position] ^= data.draw(st.integers(1, 255))
    statements[index] = SignedMessage(
        statement.session,
        statement.step,
        statement.sender,
        statement.receiver,
        bytes(flipped),
        statement.signature,
    )
    evidence = msgspec.structs.replace(by_bob.evidence, statements=tuple(statements))
    verdict = judge(evidence, world.old, world.new)
    assert set(verdict.proven) <= {BOB}


def test_a_verdict_does_not_depend_on_the_order_of_statements(by_bob, world):
    backwards = msgspec.structs.replace(by_bob.evidence, statements=by_bob.evidence.statements[::-1])
    assert judge(backwards, world.old, world.new) == judge(by_bob.evidence, world.old, world.new)


def test_the_context_of_a_case_is_the_one_it_was_made_of():
    context = shaped("3/1 -> 3/1, an absent one replaced").context
    case = ReshareCase.of(context)
    assert replace(case.context, names=context.names) == context
    assert case.session == context.session
    assert case.members == context.participants
