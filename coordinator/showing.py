"""Rounds and reports as tables for a person, on standard error."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from rich.table import Table

from coordinator.check import DecodedReport
from coordinator.history import RoundRow
from mpc_party.console import stderr


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


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
