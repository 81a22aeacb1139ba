"""Every message of key generation and of signing, tampered with in every way that concerns it as bytes and as a signed statement.

Member 2 of three cheats. The table says how surely it is named: by its own signatures, by what t+1 members saw, or only by what each saw
for itself. Twice: with a cheat that defends itself in the dispute by a story that fits what it sent, and with one that says nothing.
"""

# ruff: noqa: ARG005 - all changes in a table are functions of the forger, the receiver and the body
from __future__ import annotations

import msgspec
import pytest

from mpc_party.mesh.errors import MeshError
from mpc_party.signing import SigningError
from mpc_party.signing.verdict import Fault, Proof
from tests.support.signing_cheats import plus_one, saying, shifted_point
from tests.support.signing_forger import EVERYBODY, STEPS, Forger, Frame, altered, fields, signed
from tests.support.signing_trials import CHEAT, keygen_trial, signing_trial

pytestmark = pytest.mark.usefixtures("quick_signatures")

KEYGEN = ("keygen-commit", "keygen-open", "keygen-deal", "keygen-confirm")
SIGNING = ("nonce-deal", "nonce-open", "nonce-check", "approval", "signature-share")
MESSAGES = (*KEYGEN, *SIGNING)
PRIVATE = ("keygen-deal", "nonce-deal")


def trial(tag, prepare):
    return (keygen_trial if tag in KEYGEN else signing_trial)({CHEAT: prepare})


def changing(tag, change, **options):
    """Prepare a forger that changes this message, given itself, the receiver and the body."""

    def prepare(forger: Forger) -> None:
        forger.change = lambda t, peer, body: change(forger, peer, body) if t == tag else body
        for name, value in options.items():
            setattr(forger, name, value)

    return prepare


def longer_integer(body: bytes) -> bytes:
    """The same message in a second encoding: its sender in two bytes instead of one."""
    tag, session, sender, *rest = fields(body)
    parts = [msgspec.msgpack.encode(part) for part in (tag, session)]
    tail = [msgspec.msgpack.encode(part) for part in rest]
    return b"".join([bytes([0x93 + len(rest)]), *parts, b"\xcc", bytes([sender]), *tail])


def earlier(forger, peer, body):
    """A body of an earlier step, or of another one where there is none; signed for this step."""
    bodies = [frame[64:] for frame in forger.frames[:-1] if fields(frame[64:])[0] != fields(body)[0]]
    return (
        bodies[-1]
        if bodies
        else msgspec.msgpack.encode(["approval", forger.session, forger.own, bytes(32), bytes(32)])
    )


MALFORMED = {
    "truncated": lambda f, p, body: body[:-1],
    "empty": lambda f, p, body: b"",
    "a byte more": lambda f, p, body: body + b"\0",
    "twice": lambda f, p, body: body + body,
    "noise": lambda f, p, body: b"\x93noise",
    "nested deeply": lambda f, p, body: b"\x91" * 600,
    "second encoding": lambda f, p, body: longer_integer(body),
    "field missing": lambda f, p, body: msgspec.msgpack.encode(fields(body)[:-1]),
    "field more": lambda f, p, body: msgspec.msgpack.encode([*fields(body), 0]),
    "short field": lambda f, p, body: altered(body, {1: b"\x11" * 31}),
    "another session": lambda f, p, body: altered(body, {1: b"\x33" * 32}),
    "another sender": lambda f, p, body: altered(body, {2: 0}),
    "earlier step": earlier,
}
UNSIGNED = {
    "bit of the signature": lambda f, p, body: Frame(
        f.frames[-1][:63] + bytes([f.frames[-1][63] ^ 1]) + body
    ),
    "no signature": lambda f, p, body: Frame(bytes(64) + body),
    "only a signature": lambda f, p, body: Frame(f.frames[-1][:64]),
    "empty frame": lambda f, p, body: Frame(b""),
    "bit of the body": lambda f, p, body: Frame(f.frames[-1][:-1] + bytes([f.frames[-1][-1] ^ 1])),
    "signed for another step": lambda f, p, body: resigned(f, "elsewhere", EVERYBODY, body),
    "signed for another receiver": lambda f, p, body: resigned(f, STEPS[fields(body)[0]][0], 1 - p, body),
    "signed for another session": lambda f, p, body: resigned(
        f, STEPS[fields(body)[0]][0], EVERYBODY, body, bytes(32)
    ),
    "of an honest member": lambda f, p, body: Frame(f.frames[-1][:64] + altered(body, {2: 1 - p})),
    "endless": lambda f, p, body: resigned(f, STEPS[fields(body)[0]][0], EVERYBODY, body + bytes(70_000)),
}


def resigned(forger, step, receiver, body, session=None):
    message = signed(forger.keys, session or forger.session, step, forger.own, receiver, body)
    return Frame(message.signature + body)


def assert_signed(ran):
    assert len({outcome.signature for outcome in ran.honest.values()}) == 1
    assert not ran.verdicts


def quick(table, names):
    """All of a table; those not named with the slow tests."""
    return [name if name in names else pytest.param(name, marks=pytest.mark.slow) for name in table]


@pytest.mark.parametrize("how", quick(MALFORMED, {"earlier step"}))
@pytest.mark.parametrize("tag", MESSAGES)
def test_a_signed_message_that_is_none_convicts_its_sender(tag, how):
    ran = trial(tag, changing(tag, MALFORMED[how]))
    ran.assert_named(Proof.SIGNED)
    fault = Fault.REPLAYS if how in {"another session", "another sender", "earlier step"} else Fault.MALFORMED
    assert fault in {finding.fault for finding in ran.verdicts[0].findings}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["truncated", "another session", "earlier step"])
@pytest.mark.parametrize("tag", MESSAGES)
def test_a_signed_message_that_is_none_convicts_its_sender_whatever_it_says_then(tag, how):
    trial(tag, changing(tag, MALFORMED[how], mute=True)).assert_named(Proof.SIGNED)


@pytest.mark.parametrize("mute", [False, True], ids=["defends itself", "mute"])
@pytest.mark.parametrize("tag", PRIVATE)
def test_a_private_message_for_another_receiver_convicts_its_sender(tag, mute):
    changed = changing(tag, lambda _, peer, body: altered(body, {3: 1 - peer}), mute=mute)
    trial(tag, changed).assert_named(Proof.SIGNED)


@pytest.mark.parametrize("how", quick(UNSIGNED, {"bit of the body"}))
@pytest.mark.parametrize("tag", MESSAGES)
def test_a_message_without_its_senders_signature_is_attested_by_who_got_it(tag, how):
    if tag == "signature-share" and how not in {
        "only a signature",
        "empty frame",
        "bit of the body",
        "of an honest member",
        "endless",
    }:
        # The share is right, so the signature is: nothing is built on the share's own signature.
        assert_signed(trial(tag, changing(tag, UNSIGNED[how])))
        return
    ran = trial(tag, changing(tag, UNSIGNED[how]))
    ran.assert_named(Proof.ATTESTED)
    assert any("without its signature" in finding.text for finding in ran.verdicts[0].findings)


@pytest.mark.parametrize("tag", MESSAGES)
def test_an_unsigned_message_to_one_member_is_only_claimed(tag):
    """The one who got it names the cheat; the others hear a claim, which one liar could make as well."""
    bad = changing(tag, lambda f, p, body: Frame(bytes(64) + b"noise") if p == 0 else body)
    ran = trial(tag, bad)
    ran.assert_no_honest_member_is_named()
    assert ran.honest[0].culprit == f"desk-{CHEAT}"
    assert "(claimed)" in ran.honest[0].message
    if tag == "signature-share":  # member 1 has the signature
        assert len(ran.honest[1].signature) == 65
    else:
        assert isinstance(ran.honest[1], SigningError)
        assert ran.honest[1].culprit is None
        assert f"it is claimed that desk-{CHEAT}" in ran.honest[1].message


# Two faces: another well-formed message to member 0 than to member 1.
FACES = {
    "keygen-commit": {3: b"\x44" * 32},
    "keygen-open": {5: plus_one},
    "nonce-open": {4: plus_one},
    "nonce-check": {3: shifted_point},
    "approval": {3: b"\x44" * 32},
    "keygen-confirm": {3: b"\x44" * 32},
    "signature-share": {3: plus_one},
}


def two_faces(tag):
    return lambda _, peer, body: altered(body, FACES[tag]) if peer == 0 else body


@pytest.mark.parametrize(
    "mute", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["defends itself", "mute"]
)
@pytest.mark.parametrize("tag", [tag for tag in FACES if tag != "signature-share"])
def test_two_faces_convict_their_owner(tag, mute):
    ran = trial(tag, changing(tag, two_faces(tag), mute=mute))
    ran.assert_named(Proof.SIGNED)
    assert any(f.fault == "equivocates" for f in ran.verdicts[0].findings)


@pytest.mark.parametrize("mute", [False, True], ids=["defends itself", "mute"])
def test_a_wrong_share_to_one_member_convicts_its_sender_though_the_other_has_the_signature(mute):
    ran = trial("signature-share", changing("signature-share", two_faces("signature-share"), mute=mute))
    assert isinstance(ran.honest[0], SigningError)
    assert len(ran.honest[1].signature) == 65
    ran.assert_no_honest_member_is_named()
    for verdict in ran.verdicts.values():
        assert verdict.proven == (CHEAT,)
    assert set(ran.verdicts) == {0, 1}
    assert ran.honest[0].culprit == f"desk-{CHEAT}"


# Well-formed, signed, and wrong.
WRONG = {
    ("keygen-commit", "commitment"): ({3: b"\x44" * 32}, Proof.SIGNED, Proof.SIGNED),
    ("keygen-open", "points swapped"): ({3: lambda points: points[::-1]}, Proof.SIGNED, Proof.SIGNED),
    ("keygen-open", "point"): ({3: lambda points: [shifted_point(points[0]), *points[1:]]}, Proof.SIGNED, Proof.SIGNED),
    ("keygen-open", "a point more"): ({3: lambda points: [*points, points[0]]}, Proof.SIGNED, Proof.SIGNED),
    ("keygen-open", "a point less"): ({3: lambda points: points[:1]}, Proof.SIGNED, Proof.SIGNED),
    ("keygen-open", "no point"): ({3: lambda points: [b"\x02" + bytes(31) + b"\x05", points[1]]}, Proof.SIGNED, Proof.SIGNED),
    ("keygen-open", "proof's point"): ({4: shifted_point}, Proof.SIGNED, Proof.SIGNED),
    ("keygen-open", "proof's response"): ({5: plus_one}, Proof.SIGNED, Proof.SIGNED),
    ("keygen-open", "no scalar"): ({5: b"\xff" * 32}, Proof.SIGNED, Proof.SIGNED),
    ("keygen-deal", "share"): ({4: plus_one}, Proof.SIGNED, Proof.SIGNED),
    ("keygen-deal", "no scalar"): ({4: b"\xff" * 32}, Proof.SIGNED, Proof.SIGNED),
    ("keygen-deal", "zero"): ({4: bytes(32)}, Proof.SIGNED, Proof.SIGNED),
    ("keygen-deal", "echo of itself"): ({5: lambda echo: [*echo[:2], b"\x44" * 32]}, Proof.SIGNED, Proof.SIGNED),
    # Its own disclosure contradicts it; mute, it has not answered, which t+1 members attest.
    ("keygen-deal", "echo of another"): ({5: lambda echo: [b"\x44" * 32, *echo[1:]]}, Proof.SIGNED, Proof.ATTESTED),
    ("keygen-deal", "echo too short"): ({5: lambda echo: echo[:2]}, Proof.SIGNED, Proof.SIGNED),
    ("keygen-deal", "echo too long"): ({5: lambda echo: [*echo, echo[0]]}, Proof.SIGNED, Proof.SIGNED),
    ("keygen-confirm", "result"): ({3: b"\x44" * 32}, Proof.SIGNED, Proof.ATTESTED),
    ("nonce-deal", "k no scalar"): ({4: b"\xff" * 32}, Proof.SIGNED, Proof.SIGNED),
    ("nonce-deal", "b zero"): ({6: bytes(32)}, Proof.SIGNED, Proof.SIGNED),
    ("nonce-deal", "e no scalar"): ({8: b"\xff" * 32}, Proof.SIGNED, Proof.SIGNED),
    ("nonce-open", "R"): ({3: shifted_point}, Proof.SIGNED, Proof.SIGNED),
    ("nonce-open", "R no point"): ({3: b"\x05" * 33}, Proof.SIGNED, Proof.SIGNED),
    ("nonce-open", "w"): ({4: plus_one}, Proof.SIGNED, Proof.SIGNED),
    ("nonce-open", "w no scalar"): ({4: b"\xff" * 32}, Proof.SIGNED, Proof.SIGNED),
    ("nonce-open", "R, and the acknowledgement"): ({3: shifted_point, 5: b"\x44" * 32}, Proof.SIGNED, Proof.ATTESTED),
    ("nonce-check", "W"): ({3: shifted_point}, Proof.SIGNED, Proof.SIGNED),
    ("nonce-check", "W no point"): ({3: b"\x05" * 33}, Proof.SIGNED, Proof.SIGNED),
    ("nonce-check", "echo of itself"): ({4: lambda echo: [*echo[:2], b"\x44" * 32]}, Proof.SIGNED, Proof.SIGNED),
    ("nonce-check", "echo of another"): ({4: lambda echo: [b"\x44" * 32, *echo[1:]]}, Proof.SIGNED, Proof.ATTESTED),
    ("nonce-check", "echo too short"): ({4: lambda echo: echo[:2]}, Proof.SIGNED, Proof.ATTESTED),
    ("approval", "transcript"): ({4: b"\x44" * 32}, Proof.SIGNED, Proof.ATTESTED),
    # Another digest may be honest. This cheat goes on to sign another one than it approved; see below for one that does not.
    ("approval", "digest"): ({3: b"\x44" * 32}, Proof.SIGNED, Proof.ATTESTED),
    ("signature-share", "share"): ({3: plus_one}, Proof.SIGNED, Proof.ATTESTED),
    ("signature-share", "zero"): ({3: bytes(32)}, Proof.SIGNED, Proof.ATTESTED),
    ("signature-share", "no scalar"): ({3: b"\xff" * 32}, Proof.SIGNED, Proof.SIGNED),
}  # fmt: skip


QUICK = {
    ("keygen-open", "point"),
    ("keygen-deal", "share"),
    ("keygen-deal", "echo of another"),
    ("keygen-confirm", "result"),
    ("nonce-deal", "k no scalar"),
    ("nonce-open", "R"),
    ("nonce-open", "w"),
    ("nonce-check", "W"),
    ("approval", "transcript"),
    ("signature-share", "share"),
}
WRONG_QUICKLY = [each if each in QUICK else pytest.param(*each, marks=pytest.mark.slow) for each in WRONG]


@pytest.mark.parametrize(
    "mute", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["defends itself", "mute"]
)
@pytest.mark.parametrize(("tag", "what"), WRONG_QUICKLY)
def test_a_wrong_value_is_laid_at_its_senders_door(tag, what, mute):
    changes, defended, undefended = WRONG[tag, what]
    if tag in {"nonce-open", "nonce-check"}:  # as a party that sticks to what it says, in its echoes too
        ran = signing_trial(
            {CHEAT: changing(tag, lambda _, __, body: body, mute=mute)}, {CHEAT: saying(tag, changes)}
        )
    else:
        ran = trial(tag, changing(tag, lambda _, __, body: altered(body, changes), mute=mute))
    ran.assert_named(undefended if mute else defended)


@pytest.mark.parametrize("position", [5, 6], ids=["acknowledgement", "commitment"])
def test_hashes_for_a_dispute_matter_only_there(position):
    assert_signed(signing_trial(parties={CHEAT: saying("nonce-open", {position: b"\x44" * 32})}))


def test_another_digest_names_nobody():
    ran = signing_trial(digests={1: bytes(31) + b"\x07"}, cheats=())
    ran.assert_named(None)
    assert {outcome.culprit for outcome in ran.honest.values()} == {None}


@pytest.mark.parametrize("tag", MESSAGES)
def test_silence_ends_the_run_and_is_evidence_of_nothing(tag):
    class GoneError(Exception):
        pass

    def vanish(*_):
        raise GoneError

    ran = trial(tag, changing(tag, vanish))
    for outcome in ran.honest.values():
        assert isinstance(outcome, BaseException)
        assert not isinstance(
            outcome, SigningError | MeshError
        )  # the in-memory mesh's own error; the real one names the peer
    assert not ran.verdicts
