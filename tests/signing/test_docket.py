"""The judge as a function: whatever it is given it answers, and it names nobody for what nobody has signed."""

from __future__ import annotations

import time

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.signing import Evidence
from mpc_party.signing.channel import EVERYBODY, MAX_STATEMENT, SignedMessage
from mpc_party.signing.evidence import (
    ANSWER,
    DISCLOSURE,
    Answer,
    Claim,
    Disclosure,
    decode_disclosure,
    encode_statement,
)
from mpc_party.signing.verdict import Proof
from tests.support.signing_cheats import plus_one
from tests.support.signing_forger import altered, signed
from tests.support.signing_parties import message_keys
from tests.support.signing_trials import CHEAT, keygen_trial, signing_trial

KEYS = message_keys(3)


def wrong_share(forger):
    forger.change = lambda tag, _, b: altered(b, {3: plus_one}) if tag == "signature-share" else b


def wrong_deal(forger):
    forger.change = lambda tag, _, b: altered(b, {4: plus_one}) if tag in {"keygen-deal", "nonce-deal"} else b


@pytest.fixture(scope="module")
def disputes():
    """Evidence of one dispute of each kind, with its case."""
    ran = [
        signing_trial({CHEAT: wrong_share}),
        signing_trial({CHEAT: wrong_deal}),
        keygen_trial({CHEAT: wrong_deal}),
    ]
    return [(each.case, each.honest[0].evidence) for each in ran]


def judged(case, statements, keys=KEYS[0].keys):
    verdict = case.judge(statements, keys)
    assert set(verdict.proven) <= {CHEAT}
    assert set(verdict.culprits(Proof.ATTESTED)) <= {CHEAT}
    return verdict


def test_the_order_of_statements_and_repetitions_do_not_matter(disputes):
    for case, evidence in disputes:
        verdict = judged(case, evidence.statements)
        assert verdict.proven == (CHEAT,)
        assert judged(case, evidence.statements[::-1] * 3) == verdict


@pytest.mark.parametrize("keep", range(6))
def test_evidence_with_a_statement_missing_names_no_honest_member_by_proof(disputes, keep):
    """Whoever assembles a file can leave out what does not suit it."""
    for case, evidence in disputes:
        assert set(
            case.judge([s for n, s in enumerate(evidence.statements) if n != keep], KEYS[0].keys).proven
        ) <= {CHEAT}
        assert set(case.judge([evidence.statements[keep]], KEYS[0].keys).proven) <= {CHEAT}


def test_statements_of_another_session_say_nothing(disputes):
    (first, _), (_, second), _ = disputes
    other = msgspec.structs.replace(first, round=99)
    assert other.judge(second.statements, KEYS[0].keys).findings == ()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_change_that_the_cheats_key_can_sign_convicts_an_honest_member(disputes, data):
    """The cheat alters anything in what it says, byte by byte or message by message, and signs it; or alters the file, and cannot."""
    case, evidence = data.draw(st.sampled_from(disputes))
    statements = list(evidence.statements)
    number = data.draw(st.integers(0, len(statements) - 1))
    statement = statements[number]
    body = bytearray(statement.body)
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    if statement.sender == CHEAT:
        statements[number] = signed(KEYS[CHEAT], case.session, statement.step, CHEAT, EVERYBODY, bytes(body))
    else:
        statements[number] = msgspec.structs.replace(statement, body=bytes(body))
    case_keys = KEYS[0].keys
    assert set(case.judge(statements, case_keys).proven) <= {CHEAT}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_cheat_that_shows_any_selection_and_claims_anything_convicts_no_honest_member(disputes, data):
    case, evidence = data.draw(st.sampled_from(disputes))
    disclosed = [d for d in map(decode_disclosure, (s.body for s in evidence.statements)) if d is not None]
    pool = sorted(
        {m for d in disclosed for m in d.messages}, key=lambda m: (m.step, m.sender, m.receiver, m.body)
    )
    shown = data.draw(st.lists(st.sampled_from(pool), max_size=12))
    kind = data.draw(st.sampled_from(["joined", "unsigned", "failed"]))
    claim = Claim(kind, "deal", data.draw(st.sampled_from([0, 1, 2, 7, EVERYBODY])))
    opening = disclosed[0].opening
    stage = data.draw(st.sampled_from(["keygen", "nonce", "approval", "signature", "done", "elsewhere"]))
    told = Disclosure(stage, claim, tuple(shown), data.draw(st.sampled_from([None, opening])))
    answer = Answer((), (bytes(32),), tuple(shown[:3]))
    said = [
        signed(KEYS[CHEAT], case.session, step, CHEAT, EVERYBODY, encode_statement(what))
        for step, what in ((DISCLOSURE, told), (ANSWER, answer))
    ]
    rest = [s for s in evidence.statements if s.sender != CHEAT]
    judged(case, rest + said)


@settings(max_examples=100)
@given(st.binary(max_size=300))
def test_noise_is_no_evidence(data):
    with pytest.raises(ConfigError) as raised:
        Evidence.decode(data)
    assert raised.value.reason is Reason.EVIDENCE_INVALID


@pytest.mark.parametrize(
    "body", [b"", b"\x91" * 4000, bytes(100), b"\xdd\xff\xff\xff\xff", bytes(MAX_STATEMENT)]
)
@pytest.mark.parametrize("step", [DISCLOSURE, ANSWER])
def test_signed_noise_is_judged_in_no_time(disputes, step, body):
    for case, evidence in disputes:
        noise = signed(KEYS[CHEAT], case.session, step, CHEAT, EVERYBODY, body)
        began = time.perf_counter()
        judged(case, [*evidence.statements, noise])
        assert time.perf_counter() - began < 2


def test_as_many_messages_as_fit_are_judged_in_bounded_time(disputes):
    """The most signatures that a cheat can make the judge verify: of two disclosures and two answers, each full."""
    for case, evidence in disputes:
        statements = list(evidence.statements)
        for step in (DISCLOSURE, ANSWER):
            for batch in range(3):
                many = tuple(
                    SignedMessage(
                        case.session,
                        "open" if case.protocol == "keygen" else "nonce-open",
                        0,
                        r,
                        b"%d" % batch,
                        bytes(64),
                    )
                    for r in range(24)
                )
                what = (
                    Disclosure("nonce", Claim("joined", "none", 0), many)
                    if step == DISCLOSURE
                    else Answer((), (), many)
                )
                statements.append(
                    signed(KEYS[CHEAT], case.session, step, CHEAT, EVERYBODY, encode_statement(what))
                )
        statements += [msgspec.structs.replace(statements[-1], signature=bytes([n]) * 64) for n in range(200)]
        began = time.perf_counter()
        assert judged(case, statements).proven == (CHEAT,)
        assert time.perf_counter() - began < 2
