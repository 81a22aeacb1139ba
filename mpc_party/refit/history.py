"""From one desk's own view of the market's history to its private input: nothing leaves the machine."""

from mpc_party.market import DeskView
from mpc_party.market.intervals import intervals, moments, normal_equations, restarts, value_quotes
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason
from mpc_party.refit.agreement import RefitParameters
from mpc_party.refit.equations import Equations, equations

_WHOLE_RECORDING = 1 << 40  # a moment after every recording's last


def desk_equations(desk: DeskView, parameters: RefitParameters, max_quote_age: int) -> Equations:
    """This desk's private input, from its own view of the market's history. Nothing leaves the machine.

    Raises:
        ConsortiumError: the market has no history, or too little of it within the window.
    """
    if not desk.source.replays and (parameters.start is None or parameters.end is None):
        raise ConfigError(
            "a running market has no beginning and no end", remedy="give --from and --to, or a recording"
        )
    end = _WHOLE_RECORDING if parameters.end is None else parameters.end
    times = moments(desk.source, parameters.start or 0, end)
    value = lambda moment: value_quotes(desk.at(moment), moment, max_quote_age)  # noqa: E731 - one line's use
    rows = list(intervals(times, value, restarts(desk.source, times)))
    if len(rows) < parameters.intervals:
        raise ConsortiumError(
            f"this desk's history has {len(rows)} usable intervals, a refit needs {parameters.intervals}",
            reason=Reason.MARKET_DATA_INVALID,
            remedy="take a longer window or recording; all members must agree on --intervals to need fewer",
        )
    # As of this desk's own last interval: what weighs all of its rows alike cancels when it weighs like the others.
    sums = normal_equations(rows, parameters.half_life, as_of=rows[-1].end)
    return equations(sums.matrix, sums.vector)
