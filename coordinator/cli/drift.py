"""`drift`: whether the hedge deltas that are published still do better than plain delta."""

from typing import Annotated

import typer

from coordinator.cli.options import DEFAULT_HOME, Home, Json
from mpc_party.console import ExitCode, print_json, stderr, tell, working

MARK = {"better": "green", "undecided": "yellow", "worse": "red"}


def drift(
    *,
    half_life: Annotated[
        float, typer.Option(min=0.001, max=3650, help="Days after which an interval counts half.")
    ] = 7.0,
    limit: Annotated[
        int, typer.Option(min=2, max=100_000, help="How many rounds are read, the latest ones.")
    ] = 1000,
    spacing: Annotated[
        int,
        typer.Option(
            min=0,
            max=86_400,
            help="Seconds at least from one report that is used to the next: where rounds are seconds apart, the "
            "reports' own noise is as large as the market's moves.",
        ),
    ] = 0,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """Say whether the model hedges better or worse than plain delta, from the settled reports of the history.

    Each option that stands in two consecutive reports gives an error for either hedge; the gain is the share of plain
    delta's squared error that the model saves, net of convexity and decay, with an interval at 98 % that allows
    for moves that options share and that come in clusters. Uses what is published and nothing else.

    Exit status: 1 where the model is worse, 0 where it is better or nothing can be said.
    """
    from coordinator.drifting import model_drift
    from coordinator.history import History
    from coordinator.home import CoordinatorHome
    from mpc_party.hedging.drift import Verdict

    with (
        History(CoordinatorHome(home.expanduser()).history_file, read_only=True) as history,
        working("Reading reports ..."),
    ):
        found = model_drift(history, limit=limit, half_life=half_life, spacing=spacing)
    result = found.drift
    if json:
        print_json(found.summary())
    else:
        stderr.print(f"[bold {MARK[result.verdict]}]{result.verdict}[/]", end="")
        if result.gain is not None and result.low is not None and result.high is not None:
            tell(
                f": gain {result.gain:+.1%}, between {result.low:+.1%} and {result.high:+.1%}, over {result.intervals} "
                f"intervals (worth {result.effective:.0f}) of {found.reports} reports"
            )
        else:
            tell(f": {found.reports} reports and no interval to judge by")
        if result.gross_gain is not None:
            tell(f"gain with convexity counted as an error of both hedges: {result.gross_gain:+.1%}")
        if found.other:
            tell(f"{found.other} reports of other models left out")
        tell(f"Next: {found.advice()}")
    if result.verdict is Verdict.WORSE:
        raise typer.Exit(ExitCode.FAILED)
