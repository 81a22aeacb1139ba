"""What a signed report can be challenged for: candidates, the surest first, from public data alone.

A report may be wrong in ways in which no number of it can be computed with: another number of words than its book has
instruments, or words without a vol. The contract upholds those by counting and by the law RANGE, and they are found here in
integers as it finds them. Of what is left, the laws are looked at in float64 (`hedging.laws`), with the contract's own
tolerances. The contract's judge has the last word on every candidate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from eth_hash.auto import keccak

from mpc_party.hedging.laws import Floors, Judged, Law, Use, breaches, describe, judged_of, worst
from mpc_party.protocol.actions import Tolerances
from mpc_party.protocol.errors import ReportError
from mpc_party.protocol.report import HedgeReport
from mpc_party.protocol.words import MARGIN_ABSENT, PARAM_FIELDS, BookColumns, split_words

# The judge allows for the rounding of words, and is right about the last digits.
NEAR: Final = 0.99
_CALL: Final = 1
_PUT: Final = 2
_ONE_DELTA: Final = 10**6
_ONE_PREMIUM: Final = 10**8


def allowances(tolerances: Tolerances) -> Floors:
    """A contract's tolerances as the laws take them."""
    return Floors(
        delta=tolerances.delta * 1e-6,
        gamma=tolerances.gamma * 1e-6,
        vega=tolerances.vega * 1e-6,
        premium=tolerances.premium * 1e-6,
        vol=tolerances.vol * 1e-6,
        hedge_reach=tolerances.hedge_reach * 1e-2,
        hedge_slack=tolerances.hedge_slack * 1e-6,
    )


@dataclass(frozen=True)
class Candidate:
    """What a report may be challenged for.

    Attributes:
        law: which.
        rows: of the book, in the order in which the contract wants them; empty where every law is broken.
        share: of the allowance; infinite where there is none.
        reason: for a person.
    """

    law: Law
    rows: tuple[int, ...]
    share: float
    reason: str


class Instrument(NamedTuple):
    """An instrument word, taken apart and not judged."""

    underlying: bytes
    kind: int
    expiry: int
    strike: int


def read_instrument(word: bytes) -> Instrument:
    """Take an instrument word apart."""
    return Instrument(word[:12], word[12], int.from_bytes(word[13:18]), int.from_bytes(word[18:30]))


def require_registrable(book: bytes) -> list[Instrument]:
    """The book's instruments, if a contract can register it, as it must be before a report about it can be challenged.

    Raises:
        ReportError: it cannot; says why.
    """
    words = list(split_words(book))
    instruments = [read_instrument(word) for word in words]
    for index, (word, it) in enumerate(zip(words, instruments, strict=True)):
        if (
            it.kind not in {_CALL, _PUT}
            or not it.expiry
            or not it.strike
            or any(word[30:])
            or not any(it.underlying)
        ):
            raise _unregistrable(f"word {index} is no instrument")
        if it.underlying != instruments[0].underlying:
            raise _unregistrable(f"instrument {index} has another underlying")
        if index and it.expiry < instruments[index - 1].expiry:
            raise _unregistrable(f"the expiry of instrument {index} lies before that of the one before")
    if len(set(words)) < len(words):
        raise _unregistrable("it lists an instrument twice")
    return instruments


def candidates(report: HedgeReport, book: bytes, tolerances: Tolerances) -> list[Candidate]:
    """Everything that may be held against a report, the surest first.

    Args:
        report: of any words.
        book: its instrument words.
        tolerances: of the contract that would judge.

    Raises:
        ReportError: the book is not the report's, or no contract could register it.
    """
    sight = _look(report, book, tolerances)
    if sight.misfit is not None:
        return [Candidate(Law.RANGE, (), float("inf"), sight.misfit)]
    found = [Candidate(Law.RANGE, (row,), float("inf"), why) for row, why in sight.faults.items()]
    if sight.judged is not None:
        with np.errstate(all="ignore"):
            uses = breaches(sight.judged, allowances(tolerances), NEAR)
        found += [_candidate(sight.judged, use, sight.rows) for use in uses]
    return found


def nearest(report: HedgeReport, book: bytes, tolerances: Tolerances) -> Candidate:
    """What comes nearest to a challenge, or is surest to succeed. Arguments and errors as of `candidates`."""
    sight = _look(report, book, tolerances)
    if sight.misfit is not None or sight.judged is None or sight.faults:
        return candidates(report, book, tolerances)[0]
    with np.errstate(all="ignore"):
        return _candidate(sight.judged, worst(sight.judged, allowances(tolerances)), sight.rows)


class _Sight(NamedTuple):
    """A report looked at: what does not fit, rows that break RANGE, and those with a vol, a forward and time left, judged."""

    misfit: str | None
    faults: Mapping[int, str]
    judged: Judged | None
    rows: list[int]


def _look(report: HedgeReport, book: bytes, tolerances: Tolerances) -> _Sight:
    if keccak(book) != report.book:
        raise ReportError("these instruments are not the report's book: their hash differs")
    instruments = require_registrable(book)
    params, forwards = list(split_words(report.params)), list(split_words(report.forwards))
    expiries = list(dict.fromkeys(it.expiry for it in instruments))
    if len(params) != len(instruments):
        return _Sight(f"the book has {len(instruments)} instruments, the report {len(params)}", {}, None, [])
    if [int.from_bytes(word[15:20]) for word in forwards] != expiries:
        return _Sight("the report's forwards are of other expiries than the book's", {}, None, [])
    of = dict(zip(expiries, forwards, strict=True))
    faults = {
        row: f"law RANGE: instrument {row}: {why}"
        for row, (it, param) in enumerate(zip(instruments, params, strict=True))
        if (why := _range_fault(it, param, of[it.expiry], report.observed_at, tolerances.premium)) is not None
    }
    rows = [
        row
        for row, (it, param) in enumerate(zip(instruments, params, strict=True))
        if it.expiry > report.observed_at and any(param[:4]) and any(of[it.expiry][20:])
    ]
    if not rows:
        return _Sight(None, faults, None, rows)
    judged = _judge(
        report.observed_at,
        [instruments[row] for row in rows],
        [params[row] for row in rows],
        [int.from_bytes(of[instruments[row].expiry][20:]) for row in rows],
    )
    return _Sight(None, faults, judged, rows)


def _judge(
    observed_at: int, instruments: list[Instrument], params: list[bytes], forwards: list[int]
) -> Judged:
    """The rows that can be computed with, in the laws' units."""
    values = [_param(word) for word in params]
    columns = {field.name: np.array([row[field.name] for row in values]) for field in PARAM_FIELDS}
    book = BookColumns(
        "",
        np.array([it.kind == _CALL for it in instruments], dtype=np.bool_),
        np.array([it.expiry for it in instruments], dtype=np.int64),
        np.array([it.strike for it in instruments], dtype=np.float64),
    )
    return judged_of(observed_at, columns, book, np.array(forwards, dtype=np.float64))


def _candidate(judged: Judged, use: Use, rows: list[int]) -> Candidate:
    return Candidate(use.law, tuple(rows[at] for at in use.exhibits), use.share, describe(judged, use))


def _range_fault(
    instrument: Instrument, param: bytes, forward_word: bytes, observed_at: int, tolerance: int
) -> str | None:
    """Why one instrument breaks RANGE, in integers, as `RangeLaw.sol` has it."""
    value = _param(param)
    forward = int.from_bytes(forward_word[20:])
    call = instrument.kind == _CALL
    delta = value["bs_delta"] if call else -value["bs_delta"]
    maintenance, initial = value["maintenance_margin"], value["initial_margin"]
    paid, allowed = value["premium"] * forward, (tolerance * 100 + 1) * forward
    received, given = (forward, instrument.strike) if call else (instrument.strike, forward)
    received, given = received * _ONE_PREMIUM, given * _ONE_PREMIUM
    faults = (
        (observed_at >= instrument.expiry, "it had expired when it was observed"),
        (any(param[29:]) or any(forward_word[:15]), "reserved bits are set"),
        (value["iv"] == 0, "its vol is zero"),
        (forward == 0, "its forward is zero"),
        (not 0 <= delta <= _ONE_DELTA, "its delta has the wrong sign or is above one"),
        (
            initial < maintenance or (initial == MARGIN_ABSENT and maintenance != MARGIN_ABSENT),
            "its initial margin is below its maintenance margin, or only one was computed",
        ),
        (
            paid > received + allowed or paid + given + allowed < received,
            "its premium is less or more than an option can be worth",
        ),
    )
    return next((why for broken, why in faults if broken), None)


def _param(word: bytes) -> dict[str, int]:
    values, at = {}, 0
    for field in PARAM_FIELDS:
        values[field.name] = int.from_bytes(word[at : at + field.width], signed=field.lowest < 0)
        at += field.width
    return values


def _unregistrable(why: str) -> ReportError:
    return ReportError(
        f"no contract can register this book: {why}",
        remedy="such a report can be refused, not challenged by a law",
    )
