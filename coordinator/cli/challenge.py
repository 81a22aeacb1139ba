"""`challenge`, `equivocation` and `collect`: anyone's proofs against signed reports, and what they bring."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coordinator.cli.options import (
    DEFAULT_HOME,
    DEFAULT_RPC_URL,
    ConsortiumFile,
    Home,
    Json,
    PassphraseFile,
    RpcUrl,
)
from coordinator.cli.where import BondAddress, ContractAddress, DryRun, Keystore, place, refusals_apart
from mpc_party.console import ExitCode, print_json, tell

if TYPE_CHECKING:
    from coordinator.challenges.challenging import Court
    from coordinator.challenges.signed_report import SignedReport
    from coordinator.onchain import Onchain


class LawName(StrEnum):
    """The names of `mpc_party.hedging.laws.Law`, which takes long to import."""

    RANGE = "RANGE"
    PARITY = "PARITY"
    BLACK76 = "BLACK76"
    MONOTONE = "MONOTONE"
    BUTTERFLY = "BUTTERFLY"
    HEDGE_BAND = "HEDGE_BAND"


def challenge(
    report: Annotated[Path, typer.Argument(help="The signed report, as `history --export` writes it.")],
    *,
    law: Annotated[LawName | None, typer.Option(help="Challenge by this law only.")] = None,
    instrument: Annotated[
        list[str] | None,
        typer.Option(
            help="By this instrument, such as BTC-28MAR27-90000-C; with --law, the exhibits in its order."
        ),
    ] = None,
    dry_run: DryRun = False,
    contract: ContractAddress = None,
    consortium: ConsortiumFile = None,
    bond: BondAddress = None,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    keystore: Keystore = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Challenge a signed report that breaks a law, and be owed a part of the consortium's bond.

    Looks for laws that the report breaks at the contract's own tolerances, asks the contract's judge about each, registers the
    book if nobody has, tries the challenge in a call from your account, and sends it with the challenge bond, which comes back.
    Nothing is sent unless the contract upholds it in that call. Name the contract yourself: the file's is not believed.

    Exit status: 0 upheld, or with --dry-run would be; 1 nothing to challenge; 2 wrong command line, file or passphrase;
    3 the chain cannot be reached; 4 the contract or the report is not one that can be challenged.
    """
    from coordinator.challenges.challenging import Court, forced, shown_wei
    from coordinator.challenges.exhibits import candidates
    from coordinator.challenges.signed_report import from_file
    from coordinator.feeds.instrument_name import parse_instrument
    from coordinator.onchain import Onchain
    from coordinator.paying import paying_account
    from coordinator.report_file import load_report_file
    from coordinator.settlement import SettlementError
    from mpc_party.hedging.laws import Law

    where = place(contract, consortium, home)
    named = [parse_instrument(name) for name in instrument or []]
    with refusals_apart():
        file = load_report_file(report)
        account = None if dry_run and keystore is None else paying_account(home, keystore, passphrase_file)
        court = Court(Onchain(rpc_url, account, chain_id=where.chain_id), where.contract)
        warn(court)
        signed, book = from_file(file), file.book()
        terms = court.terms(signed.report.observed_at)
        found = candidates(signed.report, book, terms.tolerances)
        wanted = forced(book, None if law is None else Law[law.value], named, found)
        court.require_open(signed, terms)
        chosen = court.find(signed, book, terms, wanted)
        if chosen is None:
            if json:
                print_json({"upheld": False, "round": signed.report.round, "asked": len(wanted)})
            else:
                tell(f"Nothing to challenge: round {signed.report.round} breaks no law that was looked at.")
            raise typer.Exit(ExitCode.FAILED)
        said: dict[str, object] = {"upheld": True, "round": signed.report.round, **chosen.summary()}
        tell(f"Round {signed.report.round} breaks {chosen.candidate.reason}")
        if dry_run:
            book_known = bool(court.registry.book_id(signed.report.book))
            if book_known and account is not None and not court.would_uphold(signed, chosen, terms):
                raise SettlementError("the judge upholds this challenge, the contract does not")
            if json:
                print_json({**said, "dry_run": True, "bond": terms.bond, "book_registered": book_known})
            else:
                first = (
                    "" if book_known else f"register {len(file.instruments)} instruments and the book, and "
                )
                tell(
                    f"Would {first}challenge by {chosen.candidate.law.name} with {shown_wei(terms.bond)} beside it."
                )
            return
        done = court.challenge(signed, book, chosen, terms)
        reward = None if bond is None else _reward(court.chain, bond)
        if json:
            print_json({**said, **done.sent.summary(), "total_gas": done.gas, "reward": reward})
            return
        tell(
            f"Upheld in block {done.sent.block}, {done.gas:,} gas in all; the feed is stopped, the bond came back."
        )
        if reward is not None:
            tell(f"Your reward: {shown_wei(reward)}.")
        tell(
            "Next: `mpc-coordinator collect --bond ADDRESS` seizes the consortium's bond and pays you your part."
        )


def equivocation(
    one: Annotated[Path, typer.Argument(help="A signed report.")],
    other: Annotated[Path, typer.Argument(help="Another one of the same epoch and round.")],
    *,
    dry_run: DryRun = False,
    contract: ContractAddress = None,
    consortium: ConsortiumFile = None,
    bond: BondAddress = None,
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    keystore: Keystore = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Prove that the group key signed two different reports for one round. Needs no bond.

    Exit status: 0 proved; 1 the two are no such reports; 2, 3 and 4 as of `challenge`.
    """
    from coordinator.challenges.challenging import Court, shown_wei
    from coordinator.challenges.signed_report import from_file
    from coordinator.onchain import Onchain
    from coordinator.paying import paying_account
    from coordinator.report_file import load_report_file

    where = place(contract, consortium, home)
    with refusals_apart():
        first, second = (from_file(load_report_file(path)) for path in (one, other))
        account = None if dry_run and keystore is None else paying_account(home, keystore, passphrase_file)
        court = Court(Onchain(rpc_url, account, chain_id=where.chain_id), where.contract)
        why = _no_equivocation(first, second, court)
        if why is not None:
            tell(f"Nothing to prove: {why}")
            if json:
                print_json({"proved": False, "why": why})
            raise typer.Exit(ExitCode.FAILED)
        court.would_prove(first, second)
        said: dict[str, object] = {"proved": True, "epoch": first.report.epoch, "round": first.report.round}
        if dry_run:
            if json:
                print_json({**said, "dry_run": True})
            else:
                tell(
                    f"Would prove that round {first.report.round} was signed twice; the contract upholds it."
                )
            return
        sent = court.equivocate(first, second)
        reward = None if bond is None else _reward(court.chain, bond)
        if json:
            print_json({**said, **sent.summary(), "reward": reward})
            return
        tell(f"Proved in block {sent.block}, {sent.gas:,} gas; the feed is stopped.")
        if reward is not None:
            tell(f"Your reward: {shown_wei(reward)}.")
        tell(
            "Next: `mpc-coordinator collect --bond ADDRESS` seizes the consortium's bond and pays you your part."
        )


def collect(
    *,
    bond: Annotated[str, typer.Option("--bond", help="The consortium's bond (ConsortiumBond).")],
    rpc_url: RpcUrl = DEFAULT_RPC_URL,
    keystore: Keystore = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    json: Json = False,
) -> None:
    """Seize the consortium's bond after a proof of fraud, if nobody has yet, and take your reward."""
    from coordinator.challenges.bonding import Bond
    from coordinator.challenges.challenging import shown_wei
    from coordinator.onchain import Onchain
    from coordinator.paying import paying_account

    pool = Bond(Onchain(rpc_url, paying_account(home, keystore, passphrase_file)), bond)
    done = pool.collect()
    if json:
        print_json(done.summary())
        return
    if done.seized is not None:
        tell(f"Seized the bond in block {done.seized.block}, {done.seized.gas:,} gas.")
    tell(f"Collected {shown_wei(done.amount)} in block {done.sent.block}, {done.sent.gas:,} gas.")


def warn(court: "Court") -> None:
    """Say it where a contract is not this release's."""
    for name in court.foreign():
        tell(f"Warning: {name} is not this release's code; do not rely on what it says in a call")


def _no_equivocation(one: "SignedReport", other: "SignedReport", court: "Court") -> str | None:
    """Why two reports prove nothing by themselves."""
    first, second = one.report, other.report
    if (first.epoch, first.round) != (second.epoch, second.round):
        return f"they are of epoch {first.epoch}, round {first.round}, and of epoch {second.epoch}, round {second.round}"
    if one.digest(court.chain.chain_id, court.address) == other.digest(court.chain.chain_id, court.address):
        return "they are one report"
    return None


def _reward(chain: "Onchain", bond: str) -> int:
    from coordinator.challenges.bonding import Bond

    return Bond(chain, bond).reward_at_stake()
