"""A cheat in a resharing or a recovery: it changes what it sends, signs it afresh, and the others must find out who it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
import pytest

from mpc_party.mesh.exchange import FrameKind
from mpc_party.signing import SigningError
from mpc_party.signing.channel import EVERYBODY, MessageKeys, _statement
from mpc_party.signing.curve import Point, add, multiply_base
from mpc_party.signing.field import GROUP_ORDER, decode_scalar, encode_scalar
from mpc_party.signing.judges import case_of
from mpc_party.signing.verdict import Verdict
from mpc_party.signing.wire import KeygenCommit, encode
from tests.support.local_mesh import LocalExchange
from tests.support.reshare_world import outcomes as outcomes_of

Mutation = Callable[[list], object]  # changes the fields in place, or returns bytes
OFF_CURVE = b"\x02" + (5).to_bytes(32, "big")
ELSE = b"\xaa" * 32


def plus_one(scalar: bytes) -> bytes:
    return encode_scalar((decode_scalar(scalar) + 1) % GROUP_ORDER)


def shifted(point: bytes) -> bytes:
    return add([Point.decode(point), multiply_base(1)]).encode()


def body_of(fields: list) -> bytes:
    return msgspec.msgpack.encode(fields)


def put(position: int, value: Callable[[object], object] | object) -> Mutation:
    def mutate(fields: list) -> None:
        fields[position] = value(fields[position]) if callable(value) else value

    return mutate


def put_in(position: int, index: int, value: Callable[[bytes], bytes] | bytes) -> Mutation:
    def mutate(fields: list) -> None:
        fields[position][index] = value(fields[position][index]) if callable(value) else value

    return mutate


# What can be done to any message; all of it is signed by the cheat.
GENERIC: dict[str, Mutation] = {
    "cut": lambda fields: body_of(fields)[:-1],
    "longer": lambda fields: body_of(fields) + b"\0",
    "empty": lambda _: b"",
    "noise": lambda _: b"\xc1\x00noise",
    "second encoding": lambda fields: b"\xdc\x00" + bytes([len(fields)]) + body_of(fields)[1:],
    "a field more": lambda fields: fields.append(0),
    "a field less": lambda fields: fields.pop(),
    "another session": put(1, ELSE),
    "another sender": put(2, lambda sender: (sender + 1) % 3),
    "another step": lambda fields: encode(KeygenCommit(fields[1], fields[2], ELSE)),
    "no such step": put(0, "reshare-nothing"),
    "twice": lambda fields: body_of(fields) * 2,
    "nested deeply": lambda _: b"\x91" * 600,
    "a map": lambda fields: msgspec.msgpack.encode(dict(enumerate(fields))),
    "nil": lambda _: b"\xc0",
    "a short session": put(1, ELSE[:31]),
    "a sender in letters": put(2, "desk"),
    "a sender beyond all": put(2, 2**63),
}
UNSIGNED = "unsigned"
REPLAYED = "signed in another session"

SPECIFIC: dict[str, dict[str, Mutation]] = {
    "reshare-commit": {"another hash": put(3, ELSE)},
    "reshare-open": {
        "a longer vector": put(3, lambda vector: [*vector, vector[0]]),
        "a shorter vector": put(3, lambda vector: vector[:-1]),
        "another coefficient": put_in(3, 1, shifted),
        "another constant term": put_in(3, 0, shifted),
        "coefficients swapped": put(3, lambda vector: vector[::-1]),
        "no point": put_in(3, 1, OFF_CURVE),
    },
    "reshare-deal": {
        "off the polynomial": put(4, plus_one),
        "zero": put(4, bytes(32)),
        "not below q": put(4, encode_scalar(GROUP_ORDER)),
        "another receiver": put(3, lambda receiver: (receiver + 1) % 3),
    },
    "reshare-confirm": {
        "a false echo of the first": put_in(3, 0, ELSE),
        "a false echo of the last": put_in(3, -1, ELSE),
        "echoes swapped": put(3, lambda echo: echo[::-1]),
        "an echo less": put(3, lambda echo: echo[:-1]),
        "an echo more": put(3, lambda echo: [*echo, ELSE]),
        "another result": put(4, ELSE),
    },
    "recover-split": {
        "a commitment off": put_in(3, 0, shifted),
        "its own commitment off": put_in(3, -1, shifted),
        "a commitment more": put(3, lambda row: [*row, row[0]]),
        "a commitment less": put(3, lambda row: row[:-1]),
        "no commitments": put(3, []),
        "no point": put_in(3, 0, OFF_CURVE),
        "another last round": put(4, lambda last: last + 1),
    },
    "recover-piece": {
        "off its commitment": put(4, plus_one),
        "zero": put(4, bytes(32)),
        "not below q": put(4, encode_scalar(GROUP_ORDER)),
        "another receiver": put(3, lambda receiver: (receiver + 1) % 3),
    },
    "recover-echo": {
        "a false echo of the first": put_in(3, 0, ELSE),
        "a false echo of the last": put_in(3, -1, ELSE),
        "echoes swapped": put(3, lambda echo: echo[::-1]),
        "an echo less": put(3, lambda echo: echo[:-1]),
        "an echo more": put(3, lambda echo: [*echo, ELSE]),
    },
    "recover-sum": {
        "off": put(4, plus_one),
        "zero": put(4, bytes(32)),
        "not below q": put(4, encode_scalar(GROUP_ORDER)),
        "another receiver": put(3, lambda receiver: (receiver + 1) % 3),
    },
    "recover-done": {"another transcript": put(3, ELSE)},
}


# Lies that only show where they are told to some and not to others.
PLAUSIBLE = {("recover-split", "another last round")}


def cheats_on(step: str) -> list[str]:
    specific = [how for how in SPECIFIC[step] if (step, how) not in PLAUSIBLE]
    return [*GENERIC, UNSIGNED, REPLAYED, *specific]


# Ways to be malformed that the first few stand for where there is little time.
RARE = set(GENERIC) - {"cut", "another session", "another sender", "another step"}


def matrix(*steps: str) -> list:
    """Every cheat on every one of these steps, as parameters of a test; the rarer ones are slow."""
    return [
        pytest.param(step, how, marks=[pytest.mark.slow] if how in RARE else [], id=f"{step}, {how}")
        for step in steps
        for how in cheats_on(step)
    ]


@dataclass
class Cheat:
    """Changes the frames of one step, to all or to one victim, and in the dispute answers or says nothing."""

    own: int
    session: bytes
    keys: MessageKeys
    step: str
    how: str
    victim: int | None
    silent: bool = False
    done: int = 0

    def __call__(self, peer: int, kind: FrameKind, frame: bytes) -> bytes:
        if kind is FrameKind.DISPUTE:
            return b"" if self.silent else frame
        if not frame:
            return frame  # the parting
        body = frame[64:]
        fields = msgspec.msgpack.decode(body)
        if fields[0] != self.step or self.victim not in {None, peer}:
            return frame
        self.done += 1
        receiver = peer if self.step in {"reshare-deal", "recover-piece", "recover-sum"} else EVERYBODY
        if self.how == UNSIGNED:
            return bytes([frame[0] ^ 1]) + frame[1:]
        if self.how == REPLAYED:
            fields[1] = ELSE
            old = body_of(fields)
            return self.keys.sign(_statement(ELSE, self.step, self.own, receiver, old)) + old
        changed = (GENERIC | SPECIFIC[self.step])[self.how](fields)
        new = changed if isinstance(changed, bytes) else body_of(fields)
        assert new != body
        return self.keys.sign(_statement(self.session, self.step, self.own, receiver, new)) + new


def run_with(
    meshes: list[LocalExchange], cheat: Cheat | None, program: Callable[[LocalExchange], object]
) -> dict[int, object]:
    """What each honest member returned or raised."""
    for mesh in meshes:
        if cheat is not None and mesh.own == cheat.own:
            mesh.tamper = cheat

    outcomes = outcomes_of(meshes, program)
    if cheat is not None:
        assert cheat.done, "the cheat had no occasion"
        del outcomes[cheat.own]
    return outcomes


def verdict_of(error: SigningError, keys: Mapping[int, bytes]) -> Verdict:
    """From the evidence as it would be written."""
    case = case_of(error.evidence)
    return case.judge(error.evidence.statements, keys)


def assert_named(
    outcomes: Mapping[int, object], cheat: int, keys: Mapping[int, bytes], *, victim: int | None = None
) -> None:
    """Every honest member has no share, and names the cheat and no other.

    With `victim`, only that member can know: the others are told, and cannot check it.
    """
    for member, error in outcomes.items():
        assert isinstance(error, SigningError), (member, error)
        assert error.evidence is not None
        known = {f"desk-{cheat}"} if victim in {None, member} else {f"desk-{cheat}", None}
        assert error.culprit in known, (member, error)
        findings = verdict_of(error, keys).findings
        assert {finding.culprit for finding in findings} <= {cheat}, (member, findings)
