"""Reading a feed, and putting money behind it."""

import pytest

from coordinator.cli import app
from tests.support.command_lines import call, keystore
from tests.support.contract_hands import POOL, name_of, row_of
from tests.support.contract_stage import ETHER, WINDOW

pytestmark = pytest.mark.integration


def test_reading_in_words_and_units(stage):
    proposal, report = stage.report(1)
    stage.register(proposal)
    name = name_of(proposal, row_of(proposal))
    at = ("--contract", stage.ledger.address)
    early = call(app, "read", name, *at)
    assert early.status == 1
    assert call(app, "read", "--book", *at).status == 1
    stage.settle(report, store=True)
    assert call(app, "read", name, *at).status == 1  # pending is not final
    stage.wait(WINDOW)
    said = call(app, "read", name, *at, "--json")
    assert said.status == 0, said.text
    found = said.json
    assert (found["instrument"], found["fit"], found["final"], found["round"]) == (name, True, True, 1)
    assert found["iv"] == pytest.approx(0.5)
    assert found["price"] == pytest.approx(found["words"]["premium"] * found["forward"] * 1e-8)
    assert call(app, "read", found["id"], *at, "--json").json["instrument"] == name
    every = call(app, "read", "--book", *at, "--json")
    assert every.status == 0, every.text
    assert len(every.lines) == len(proposal.instruments)
    assert [line["id"] for line in every.lines] == list(range(1, len(proposal.instruments) + 1))
    for_people = call(app, "read", name, *at)
    assert "fit for use" in for_people.text
    old = call(app, "read", name, *at, "--max-age", 60)
    assert (old.status, "seconds old" in old.text) == (1, True)
    stage.wait(3600)
    assert "expired" in call(app, "read", name, *at).text
    assert call(app, "read", "BTC-1JAN27-1-C", *at).status == 2
    assert call(app, "read", *at).status == 2
    assert call(app, "read", "nonsense", *at).status == 2


def test_a_bond_is_put_in_asked_back_and_taken(stage, stranger, tmp_path):
    at = ("--bond", stage.bond.address, "--keystore", keystore(tmp_path, stranger), "--json")

    def bond(command, *arguments):
        return call(app, "bond", command, *arguments, *at)

    def status():
        found = call(
            app, "bond", "status", "--bond", stage.bond.address, "--account", stranger.address, "--json"
        )
        assert found.status == 0, found.text
        return found.json

    assert bond("request", "1").status == 2
    assert bond("add", "2.5").status == 0
    assert (status()["held"], status()["pooled"]) == (5 * ETHER // 2, POOL + 5 * ETHER // 2)
    assert bond("request", "3").status == 2
    assert bond("request", "1").status == 0
    assert (status()["held"], status()["leaving"]) == (3 * ETHER // 2, ETHER)
    early = bond("take")
    assert (early.status, "UnbondingTooEarly" in early.text) == (1, True)
    assert bond("cancel").status == 0
    assert status()["leaving"] == 0
    assert bond("request", "all").status == 0
    stage.wait(status()["delay"])
    assert bond("take").status == 0
    assert (status()["held"], status()["leaving"], status()["pooled"]) == (0, 0, POOL)
    assert "NothingToSeize" in bond("seize").text
    assert "NothingUnbonding" in bond("cancel").text
    for amount in ("0", "-1", "x", "nan", "inf", "0.0000000000000000001"):
        assert call(app, "bond", "add", *at, "--", amount).status == 2, amount
