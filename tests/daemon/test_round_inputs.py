"""What a party puts in besides its surface, positions and order flow, and what comes back to it alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest

from mpc_party.audit.opening import open_exposure, open_opening
from mpc_party.daemon import round_job
from mpc_party.daemon.round_job import prepare, run_round
from mpc_party.market import MarketDataError
from mpc_party.market.flow import FlowFeatures
from mpc_party.protocol.errors import ConsortiumError, Reason, RoundError
from mpc_party.protocol.messages import message_hash
from mpc_party.protocol.report import decode_report
from mpc_party.protocol.words import unpack_params

ALL = (0, 1, 2)


class Feed:
    """An order flow that says one thing, or nothing."""

    def __init__(self, features: FlowFeatures | None) -> None:
        self.features = features

    def flow(self, observed_at: int) -> FlowFeatures:
        if self.features is None:
            raise MarketDataError(f"nothing for {observed_at}", reason=Reason.MARKET_DATA_STALE)
        return self.features


def option_names(proposal, at):
    """The venue's names of these instruments of the proposal."""

    names = []
    for index in at:
        instrument = proposal.instruments[index]
        day = dt.datetime.fromtimestamp(proposal.expiries[instrument.expiry].expiry, dt.UTC)
        month = day.strftime("%b").upper()
        strike = instrument.strike / 10**8
        kind = "C" if instrument.call else "P"
        names.append(f"{proposal.underlying}-{day.day}{month}{day:%y}-{strike:g}-{kind}")
    return names


def run(parties, ready):
    agreed = tuple(ready[member].commitment for member in ALL)
    return parties.together(ALL, lambda member: run_round(parties.contexts[member], ready[member], agreed))


def exposure_of(parties, member, number):
    record = parties.contexts[member].journal.opening(number)
    return open_exposure(record.exposure, parties.world.identities[member].decrypt)


@pytest.fixture
def held(parties, numbered, tmp_path):
    """Member 1 holds three options of the book and one that is not in it."""
    proposal = numbered(5)
    first, second, third = option_names(proposal, (3, 11, 20))
    file = tmp_path / "positions.csv"
    file.write_text(f"instrument,contracts\n{first},12.5\n{second},-40\n{third},3\nSIM-1JAN20-5-C,1\n")
    parties.contexts[1] = replace(parties.contexts[1], positions=file)
    return proposal, {3: 12.5, 11: -40.0, 20: 3.0}


def test_each_owner_gets_its_own_net_exposure_in_contracts(parties, held):
    proposal, contracts = held
    results = run(parties, parties.prepare(proposal))
    params = unpack_params(decode_report(results[0].report).params)
    forward = (
        np.array([proposal.expiries[i.expiry].forward for i in proposal.instruments])
        / proposal.expiries[0].forward
    )
    expected = {
        name: sum(held * forward[at] * params[column][at] * unit for at, held in contracts.items())
        for name, column, unit in (
            ("delta", "hedge_delta", 1e-6),
            ("gamma", "gamma", 1e-6),
            ("vega", "vega", 1e-8),
        )
    }
    found = exposure_of(parties, 1, proposal.round)
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, abs=0.05 if name == "gamma" else 0.01), name
    assert found.positions_left_out == 1
    # 40 short options of which the worst scenario costs more than the 15 long ones bring.
    assert 0 < found.scenario_loss < 40
    for other in (0, 2):
        nothing = exposure_of(parties, other, proposal.round)
        assert (abs(nothing.delta), nothing.positions_left_out) == (pytest.approx(0, abs=1e-3), 0)


def test_an_exposure_opens_for_its_owner_only(parties, held):
    run(parties, parties.prepare(held[0]))
    record = parties.contexts[1].journal.opening(20)
    for reader in (0, 2):
        with pytest.raises(Exception, match="does not decrypt"):
            open_exposure(record.exposure, parties.world.identities[reader].decrypt)


def test_how_many_options_a_party_holds_is_not_shown(parties, held):
    ready = parties.prepare(held[0])
    assert ready[1].positions_left_out == 1
    assert repr(replace(ready[1], positions_left_out=2)) == repr(ready[1])


def test_a_positions_file_with_a_mistake_ends_this_partys_part(parties, numbered, tmp_path):
    file = tmp_path / "positions.csv"
    file.write_text("instrument,contracts\nSIM-1JAN20-5-C,many\n")
    parties.contexts[1] = replace(parties.contexts[1], positions=file)
    proposal = numbered(6)
    with pytest.raises(MarketDataError, match="line 2: contracts are not a number"):
        prepare(parties.contexts[1], proposal, message_hash(proposal), 0)
    assert parties.contexts[1].journal.last_round() == 0  # nothing was promised


def test_order_flow_goes_into_the_snapshot(parties, numbered):
    parties.contexts[0] = replace(parties.contexts[0], flow=Feed(FlowFeatures(0.5, 0.5 * np.e, None)))
    proposal = numbered(7)
    ready = prepare(parties.contexts[0], proposal, message_hash(proposal), 0)
    assert (ready.snapshot.market[-1] / 65_536).tolist() == pytest.approx([0.5, 1.0, 0.0])
    assert "flow" not in ready.dropped


def test_a_feed_without_flow_is_counted_and_neutral(parties, numbered):
    parties.contexts[0] = replace(parties.contexts[0], flow=Feed(None))
    proposal = numbered(7)
    ready = prepare(parties.contexts[0], proposal, message_hash(proposal), 0)
    assert ready.snapshot.market[-1].tolist() == [0, 0, 0]
    assert ready.dropped["flow"] == 1


def test_an_input_that_no_party_makes_ends_the_round_with_its_owners_name(parties, numbered):
    ready = parties.prepare(numbered(8))
    ready[2].snapshot.market[0, 0] = 3 << 16
    outcomes = run(parties, ready)
    for member in ALL:
        error = outcomes[member]
        assert isinstance(error, RoundError)
        assert (error.reason, error.culprit) == (Reason.INPUT_OUT_OF_RANGE, parties.names(2)[0])
        assert not parties.contexts[member].journal.rounds()[0].nonce_spent


def test_the_opening_in_the_journal_is_what_was_shared(parties, numbered):
    proposal = numbered(9)
    ready = parties.prepare(proposal)
    run(parties, ready)
    for member in ALL:
        record = parties.contexts[member].journal.opening(proposal.round)
        opening = open_opening(record.opening, parties.world.identities[member].decrypt)
        assert opening.commitment() == record.commitment == ready[member].commitment
        assert (opening.position_words() == ready[member].snapshot.positions).all()
        assert opening.decoded_proposal() == proposal
        assert record.commitments == tuple(ready[m].commitment for m in ALL)


def test_an_exposure_that_does_not_follow_from_the_table_ends_the_round(parties, held, monkeypatch):
    """A truncation gone wild in what only its owner sees: the owner finds it, and signs nothing."""
    whole = round_job.compute

    def wild(session, *arguments):
        opened = whole(session, *arguments)
        if session.position != 1:
            return opened
        return replace(opened, exposure=replace(opened.exposure, vega=opened.exposure.vega + 2.0**20))

    monkeypatch.setattr(round_job, "compute", wild)
    outcomes = run(parties, parties.prepare(held[0]))
    assert outcomes[1].reason is Reason.COMPUTATION_OUT_OF_RANGE
    assert "exposure" in outcomes[1].message
    assert all(isinstance(outcome, ConsortiumError) for outcome in outcomes.values())  # no report came of it
    assert not parties.contexts[1].journal.rounds()[0].nonce_spent
    assert parties.contexts[1].journal.opening(20).exposure is None
