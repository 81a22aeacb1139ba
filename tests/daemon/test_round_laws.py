"""A report for which the bond could be slashed: every party judges its own copy, and none approves or signs."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from mpc_party.daemon import round_job
from mpc_party.daemon.round_job import run_round
from mpc_party.hedging.outputs import Column
from mpc_party.protocol.errors import Reason
from mpc_party.protocol.messages import Instrument

ALL = (0, 1, 2)


def run(parties, ready):
    agreed = tuple(ready[member].commitment for member in ALL)
    return parties.together(ALL, lambda member: run_round(parties.contexts[member], ready[member], agreed))


def check_nothing_signed(parties):
    for member in ALL:
        (record,) = parties.contexts[member].journal.rounds()
        assert (record.digest, record.nonce_spent) == (None, False)


def test_a_report_that_could_be_slashed_is_not_signed(parties, numbered, monkeypatch):
    """A call whose vol is 0.2 % off its put's passes every check of the computation, and breaks the law of parity."""
    real = round_job.compute

    def compute(*given):
        opened = real(*given)
        table = opened.table.copy()
        table[Column.VOL_RATIO, paired] += round(0.002 * table[Column.VOL_RATIO, paired])
        return replace(opened, table=table)

    some = numbered(3).instruments
    both = sorted({(i.expiry, i.strike, call) for i in some for call in (False, True)})
    proposal = numbered(3, instruments=tuple(Instrument(*row) for row in both))
    paired = len(both) // 2 + 1 - len(both) // 2 % 2  # a call; its put is the row before
    monkeypatch.setattr(round_job, "compute", compute)
    approvals = []
    monkeypatch.setattr(round_job, "run_approval", lambda *_: approvals.append(1))
    outcomes = run(parties, parties.prepare(proposal))
    unlawful = [error for error in outcomes.values() if error.reason is Reason.REPORT_UNLAWFUL]
    # Who was slower sees the links close first; who finds it names law and instruments.
    assert unlawful
    for error in unlawful:
        assert "law PARITY: vol of call" in error.message
        assert f"{both[paired][1] * 1e-8:.10g} of 20" in error.message
        assert error.culprit is None
    assert {e.reason for e in outcomes.values()} <= {Reason.REPORT_UNLAWFUL, Reason.PEER_CLOSED}
    assert not approvals
    check_nothing_signed(parties)


def test_what_is_judged_is_what_is_signed(parties, numbered, monkeypatch):
    """The words of the report itself, whatever came before they were packed."""
    real = round_job.build_report

    def build(*given):
        report = real(*given)
        unlawful = bytearray(report.params)
        unlawful[7] ^= 0x20  # of the first hedge delta: more than 2 off, in a wing
        return msgspec.structs.replace(report, params=bytes(unlawful))

    monkeypatch.setattr(round_job, "build_report", build)
    outcomes = run(parties, parties.prepare(numbered(3)))
    assert Reason.REPORT_UNLAWFUL in {error.reason for error in outcomes.values()}
    assert any("law HEDGE_BAND" in error.message for error in outcomes.values())
    check_nothing_signed(parties)
