"""Moves of a shared model between threads: who sits where, what each member got, and all that went over the links."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pyrage

from mpc_party.protocol.model_share import ModelShare, component_leaf, open_share, reconstruct, subsets
from mpc_party.protocol.shares_at_rest import SharesAtRest
from mpc_party.resharing.model import MovedModel, reshare_model
from mpc_party.resharing.model_plan import ModelMove
from tests.support.local_mesh import LocalExchange, local_mesh, party_outcomes
from tests.support.model_shares import decryptor, header

WORDS = (16_384, -26_214, 19_661, 2**63 - 1, -(2**63))
CEREMONY = hashlib.sha256(b"a ceremony").digest()


def filler(label: str, size: int) -> bytes:
    """Bytes that are the same in every run."""
    return b"".join(hashlib.sha256(f"{label} {i}".encode()).digest() for i in range(size // 32 + 1))[:size]


def shares_at_rest(members: int, threshold: int, words: Sequence[int] = WORDS) -> list[SharesAtRest]:
    """A dealing that is the same in every run."""
    names = subsets(members, threshold)
    parts = [np.frombuffer(filler(f"words {a}", 8 * len(words)), dtype="<i8").copy() for a in names[1:]]
    parts.insert(0, np.array(words, dtype=np.int64) - sum(parts))
    held = {a: (filler(f"salt {a}", 32), part.tobytes()) for a, part in zip(names, parts, strict=True)}
    leaves = tuple(component_leaf(a, *held[a]) for a in names)
    head = header(members, threshold, len(words))
    return [
        SharesAtRest(head, member, leaves, {a: held[a] for a in names if member not in a})
        for member in range(members)
    ]


@dataclass
class Stage:
    """A move, and the shares that it begins with, by seat."""

    move: ModelMove
    shares: dict[int, SharesAtRest]

    @property
    def seats(self) -> range:
        return range(len(self.move.cast_names))


def stage(
    old: tuple[int, int],
    new: tuple[int, int],
    *,
    stay: Sequence[int] | None = None,
    absent: Sequence[int] = (),
    words: Sequence[int] = WORDS,
) -> Stage:
    """From `old` (n, t) to `new` (n', t'): `stay` are the old members that remain, as many as possible if not said."""
    here = [member for member in range(old[0]) if member not in absent]
    remaining = here[: new[0]] if stay is None else list(stay)
    old_seats = tuple(here.index(member) if member in here else None for member in range(old[0]))
    joiners = range(len(here), len(here) + new[0] - len(remaining))
    dealt = shares_at_rest(*old, words)
    move = ModelMove(
        old_header=dealt[0].header,
        new_header=replace_header(dealt[0].header, epoch=2, members=new[0], threshold=new[1]),
        commitment=dealt[0].commitment,
        ceremony=CEREMONY,
        cast_names=tuple(f"m{seat}" for seat in range(len(here) + len(joiners))),
        old_seats=old_seats,
        new_seats=tuple([here.index(member) for member in remaining] + list(joiners)),
    )
    return Stage(move, {here.index(member): dealt[member] for member in here})


def replace_header(head, **changed):
    fields = {name: getattr(head, name) for name in head.__struct_fields__}
    return type(head)(**fields | changed)


def with_move(staged: Stage, **changed) -> Stage:
    """The same with another move."""
    return Stage(replace(staged.move, **changed), staged.shares)


@dataclass
class Moved:
    """What each seat got, and its link with all that it received."""

    staged: Stage
    outcomes: dict[int, MovedModel | BaseException]
    links: list[LocalExchange]

    @property
    def models(self) -> dict[int, MovedModel]:
        for outcome in self.outcomes.values():
            if isinstance(outcome, BaseException):
                raise outcome
        return self.outcomes

    def opened(self) -> list[ModelShare]:
        """The new members' files, written and read as members do, in the order of the new file."""
        result = []
        for index, seat in enumerate(self.staged.move.new_seats):
            identity = pyrage.x25519.Identity.generate()
            model = self.models[seat]
            sealed = model.share.seal(str(identity.to_public()))
            result.append(open_share(sealed, decryptor(identity), member=index, commitment=model.commitment))
        return result

    def failures(self, kind: type[BaseException], but: int | None = None) -> dict[int, BaseException]:
        return {seat: o for seat, o in self.outcomes.items() if seat != but and isinstance(o, kind)}


def run_move(
    staged: Stage,
    *,
    attack: Callable[[LocalExchange], None] | None = None,
    of: int | None = None,
    program: Callable[[LocalExchange, ModelMove, SharesAtRest | None], MovedModel] = reshare_model,
) -> Moved:
    """One move; `attack` may change the link of the seat `of` before it begins."""
    links = local_mesh(staged.seats)
    if attack is not None:
        attack(links[of])

    def member(link: LocalExchange) -> MovedModel:
        _SEAT.value, _SEAT.drawn = link.own, 0
        return program(link, staged.move, staged.shares.get(link.own))

    return Moved(staged, party_outcomes(links, member), links)


def flip_at(step: int, *, to: int | None = None, place: int = 0) -> Callable[[LocalExchange], None]:
    """An attack: one bit of one byte of what this seat sends in an exchange, to one peer or to all."""

    def attack(link: LocalExchange) -> None:
        def tamper(peer, _kind, data):
            if link.rounds == step and to in {None, peer}:
                where = place % len(data)
                return data[:where] + bytes([data[where] ^ 1]) + data[where + 1 :]
            return data

        link.tamper = tamper

    return attack


def weights(shares: Sequence[ModelShare]) -> tuple[int, ...]:
    return tuple(reconstruct(shares))


_SEAT = threading.local()


def _repeatable_bytes(size: int) -> bytes:
    _SEAT.drawn += 1
    return filler(f"seed {_SEAT.value} {_SEAT.drawn}", size)


REPEATABLE = SimpleNamespace(
    token_bytes=_repeatable_bytes
)  # in place of `secrets`: a seat draws the same in every run
