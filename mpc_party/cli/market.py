"""`record`: a live market, for later."""

from pathlib import Path
from typing import Annotated

import typer

from mpc_party.cli.options import Json
from mpc_party.console import print_json, tell, working


def record(
    market: Annotated[str, typer.Option(help="A live market, such as deribit:BTC.")],
    out: Annotated[Path, typer.Option(help="CSV file to append to; compressed where it ends in .gz.")],
    *,
    every: Annotated[float, typer.Option(help="Seconds between two moments.", min=1, max=86_400)] = 60.0,
    count: Annotated[
        int | None, typer.Option(help="Stop after this many moments; else at Ctrl-C.", min=1)
    ] = None,
    json: Json = False,
) -> None:
    """Record a live option chain, to be replayed later with --market recorded:FILE.

    Appends to a recording of the same underlying. Ctrl-C ends it between two
    moments; a full disk leaves the moments before it. A kill or a power cut in
    the middle of a write may leave half a moment: such a file is refused.
    """
    from mpc_party.member.recording import record as record_chain

    with working("Connecting ...") as say:
        done = record_chain(market, out.expanduser(), every=every, count=count, say=say)
    if json:
        print_json(
            {
                "file": str(out),
                "moments": done.moments,
                "rows": done.rows,
                "missed": done.missed,
                "bytes": done.bytes,
            }
        )
    else:
        tell(f"{done.moments} moments ({done.rows} rows) in {out}, {done.missed} missed.")
