"""Whatever a cheat signs and discloses, the judges of resharing and recovery do not raise, and blame nobody else."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpc_party.signing import wire
from mpc_party.signing.channel import EVERYBODY, SignedMessage, _statement
from mpc_party.signing.curve import multiply_base
from mpc_party.signing.evidence import DISCLOSURE, Claim, Disclosure, encode_statement
from mpc_party.signing.judge_recover import KINDS as RECOVER
from mpc_party.signing.judge_recover import RecoverCase
from mpc_party.signing.judge_reshare import KINDS as RESHARE
from mpc_party.signing.judge_reshare import ReshareCase
from tests.support.recover_runs import loss
from tests.support.reshare_runs import identity, public_identity, shaped

POINT, SCALAR = multiply_base(7).encode(), b"\x07" * 32
SAMPLES = {
    wire.ReshareCommit: (SCALAR,),
    wire.ReshareOpen: ((POINT, POINT),),
    wire.ReshareDeal: (0, SCALAR),
    wire.ReshareConfirm: ((SCALAR, SCALAR), SCALAR),
    wire.RecoverSplit: ((POINT, POINT), 9),
    wire.RecoverPiece: (0, SCALAR),
    wire.RecoverEcho: ((SCALAR, SCALAR, SCALAR),),
    wire.RecoverSum: (0, SCALAR),
    wire.RecoverDone: (SCALAR,),
}


def case_and_kinds(name):
    if name == "reshare":
        return ReshareCase.of(shaped("4/1 -> 4/1, one replaced").context), RESHARE
    return RecoverCase.of(loss(4, 1, 0, (1, 2), (3,)).context), RECOVER


def signed(session, step, sender, receiver, body):
    signature = identity(sender).sign(_statement(session, step, sender, receiver, body))
    return SignedMessage(session, step, sender, receiver, body, signature)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), cheat=st.sampled_from([0, 1]), name=st.sampled_from(["reshare", "recover"]))
def test_no_disclosure_of_a_cheat_makes_a_judge_raise_or_blame_another(data, cheat, name):
    case, kinds = case_and_kinds(name)
    steps = st.sampled_from(sorted(kinds))
    members = st.integers(0, 5)

    def message() -> SignedMessage:
        step = data.draw(steps)
        kind = kinds[data.draw(st.sampled_from([step, data.draw(steps)]))]
        receiver = data.draw(st.sampled_from([EVERYBODY, 0, 1, 2, 3, 4]))
        fields = list(SAMPLES[kind])
        if "receiver" in kind.__struct_fields__:
            fields[0] = data.draw(st.sampled_from([receiver, data.draw(members)]))
        body = wire.encode(kind(case.session, cheat, *fields))
        body = data.draw(st.sampled_from([body, body[:-1], b""]))
        return signed(case.session, step, cheat, receiver, body)

    shown = tuple(message() for _ in range(data.draw(st.integers(0, 8))))
    claim = Claim(data.draw(st.sampled_from(["joined", "failed", "unsigned"])), "none", data.draw(members))
    statements = [
        signed(case.session, DISCLOSURE, cheat, EVERYBODY, encode_statement(Disclosure(name, claim, shown)))
    ]
    for honest in case.members:
        if honest != cheat:
            body = encode_statement(
                Disclosure(name, Claim("joined", "none", cheat), data.draw(st.sampled_from([shown, ()])))
            )
            statements.append(signed(case.session, DISCLOSURE, honest, EVERYBODY, body))
    verdict = case.judge(statements, {member: public_identity(member) for member in range(6)})
    assert set(verdict.proven) <= {cheat}
