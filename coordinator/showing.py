"""Rounds and reports as tables for a person, on standard error."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from rich.table import Table

from coordinator.check import DecodedReport
from coordinator.history import RoundRow
from mpc_party.console import stderr

if TYPE_CHECKING:
    from coordinator.settlement.overview import Overview


def show_round(row: RoundRow) -> None:
    """One round, in a few lines."""
    ms = row.ms or {}
    times = ", ".join(f"{name} {value:,.0f}" for name, value in ms.items())
    stderr.print(
        f"Round {row.round} {row.state}: {row.instruments} instruments by {', '.join(row.committee)}"
    )
    stderr.print(f"  ms: {times}")
    if row.mesh_bytes is not None:
        stderr.print(f"  mesh: {row.mesh_bytes:,} bytes, {row.mesh_rounds} rounds")
    if row.gas is not None:
        stderr.print(f"  chain: {row.gas:,} gas in block {row.block}, transaction 0x{(row.tx or b'').hex()}")
    if row.max_delta_error is not None:
        stderr.print(f"  largest delta error against Black-76: {row.max_delta_error:.2e}")
    if row.reason is not None:
        stderr.print(f"  {row.reason}: {row.detail}", markup=False)


def show_history(rows: Sequence[RoundRow]) -> None:
    """Rounds, one a line."""
    table = Table(box=None, pad_edge=False)
    for heading in (
        "round",
        "state",
        "committee",
        "instruments",
        "ms",
        "mesh kB",
        "gas",
        "what",
    ):
        table.add_column(
            heading,
            justify="right" if heading in {"round", "instruments", "ms", "mesh kB", "gas"} else "left",
        )
    for row in rows:
        why = " ".join(filter(None, (row.reason, row.culprit and f"({row.culprit})")))
        table.add_row(
            str(row.round),
            row.state,
            " ".join(row.committee),
            _number(row.instruments),
            _number(None if row.ms is None else round(row.ms.get("total", 0))),
            _number(None if row.mesh_bytes is None else row.mesh_bytes // 1000),
            _number(row.gas),
            why,
        )
    stderr.print(table)


def show_report(decoded: DecodedReport, limit: int = 8) -> None:
    """The head of a report's table: instruments nearest to the money."""
    table = Table(box=None, pad_edge=False)
    for heading in (
        "expiry",
        "strike",
        "",
        "forward",
        "vol",
        "delta",
        "hedge",
        "gamma",
        "vega",
        "premium",
        "margin",
    ):
        table.add_column(heading, justify="left" if heading in {"expiry", ""} else "right", no_wrap=True)
    nearest = np.argsort(np.abs(np.log(decoded.strike / decoded.forward)), kind="stable")[:limit]
    for i in sorted(nearest):
        table.add_row(
            datetime.fromtimestamp(int(decoded.expiry[i]), UTC).strftime("%d%b%y"),
            f"{decoded.strike[i]:,.0f}",
            "call" if decoded.call[i] else "put",
            f"{decoded.forward[i]:,.0f}",
            f"{decoded.iv[i]:.4f}",
            f"{decoded.bs_delta[i]:+.4f}",
            f"{decoded.hedge_delta[i]:+.4f}",
            f"{decoded.gamma[i]:.3f}",
            f"{decoded.vega[i]:.4f}",
            f"{decoded.premium[i]:.4f}",
            f"{decoded.maintenance_margin[i]:.4f}",
        )
    stderr.print(table)


def show_contracts(found: "Overview") -> None:
    """The contracts, a line each, and how they do."""
    for each in found.contracts:
        if each.genuine:
            what = f"as in this release, codehash 0x{(each.codehash or b'').hex()}"
        else:
            what = "NOT THERE" if each.codehash is None else "OTHER CODE than this release's"
        stderr.print(f"{each.name:20} {each.address}  {what}", markup=False)
    stops = [
        text
        for holds, text in (
            (found.paused, "paused by the members"),
            (found.flagged, "flagged by the breaker"),
            (found.slashed == found.epoch, "stopped by a proof of fraud"),
        )
        if holds
    ]
    state = (
        "live" if found.live else f"not live: {', '.join(stops) or 'no report, or the last one has expired'}"
    )
    slashed = f", last proof of fraud in epoch {found.slashed}" if found.slashed else ""
    stderr.print(
        f"The feed is {state}; epoch {found.epoch}{slashed}, group key {found.group_key}", markup=False
    )
    round_ = "unknown" if found.final_round is None else found.final_round
    stderr.print(
        f"Reports: {found.sequence} accepted, {found.final_sequence} final (round {round_}); {found.stored} stored, "
        f"{found.final_stored} of them final; window {found.window} s, pace {found.pace} s",
        markup=False,
    )
    stderr.print(
        f"Members: {found.quorum} of {found.members} decide, {found.action_delay} s ahead", markup=False
    )
    if found.pooled is not None and found.secured is not None:
        stderr.print(
            f"Bond: {found.pooled / 10**18:.6g} ether pooled, {found.secured / 10**18:.6g} of it not on its way out",
            markup=False,
        )


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
