"""Everything that `round` and `serve` open, around the service, and close again whatever ends it."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from coordinator.book import MarketBook
from coordinator.history import History
from coordinator.home import CoordinatorHome
from coordinator.lifecycle import Phase, Schedule
from coordinator.metrics import Metrics
from coordinator.service import CoordinatorService, Outcome
from coordinator.settlement import Publish, Settlement
from mpc_party.console import working
from mpc_party.market import open_source
from mpc_party.protocol.broker_access import BrokerCredentials
from mpc_party.protocol.bus import Bus
from mpc_party.protocol.consortium_file import load_consortium
from mpc_party.protocol.passphrase import passphrase_from

_SHOWN = {
    Phase.GATHERING: "waiting for members to come online",
    Phase.PROPOSING: "proposing",
    Phase.COMMITTING: "waiting for commitments",
    Phase.COMPUTING: "the committee computes and signs",
    Phase.SETTLING: "settling on the chain",
    Phase.WAITING: "aborted; trying again",
}


@dataclass(frozen=True)
class RoundOptions:
    """What the command line says. Times in seconds."""

    home: Path
    market: str
    rpc_url: str
    consortium: Path | None = None
    broker_url: str | None = None
    deadline: float = 15.0
    attempts: int = 4
    gather: float = 10.0
    metrics_port: int | None = None
    publish: Publish = Publish.DIGEST

    def schedule(self) -> Schedule:
        """Deadlines in the machine's terms."""
        return Schedule(
            deadline_ms=round(self.deadline * 1000),
            gather_ms=round(self.gather * 1000),
            attempts=self.attempts,
        )


def run_rounds(
    options: RoundOptions,
    passphrase_file: Path | None,
    *,
    count: int | None,
    every: float = 0.0,
    show_progress: bool = False,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> list[Outcome]:
    """Run rounds until there are `count` of them, or SIGINT or SIGTERM. Blocks.

    Raises:
        ConsortiumError: something is missing, wrong or cannot be reached; all is closed again.
        KeyboardInterrupt: by the signals; the history is complete.
    """
    folder = CoordinatorHome(options.home)
    consortium = load_consortium(options.consortium or folder.consortium_file)
    consortium.require_ready()
    identity = folder.identity(passphrase_from(file=passphrase_file, prompt="Passphrase"))
    identity.require_role(consortium)
    with ExitStack() as stack:
        market = open_source(options.market)
        if (close := getattr(market, "close", None)) is not None:
            stack.callback(close)  # a live source has threads and a connection
        source = MarketBook(market)
        say = stack.enter_context(working("Connecting ...")) if show_progress else None
        metrics = stack.enter_context(Metrics(options.metrics_port))
        contract = Settlement(options.rpc_url, consortium, identity.evm_account(), publish=options.publish)
        contract.check()
        history = stack.enter_context(History(folder.history_file))

        def on_phase(number: int, phase: Phase) -> None:
            if say is not None and phase in _SHOWN:
                say(f"Round {number}: {_SHOWN[phase]} ...")

        async def work() -> list[Outcome]:
            task = asyncio.current_task()
            if task is not None:
                asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
            async with Bus(
                consortium,
                identity,
                url=options.broker_url,
                credentials=BrokerCredentials.from_environment(os.environ),
                last_round=history.last_round(),
            ) as bus:
                service = CoordinatorService(
                    consortium,
                    bus,
                    contract,
                    history,
                    source,
                    schedule=options.schedule(),
                    metrics=metrics,
                    on_phase=on_phase,
                )
                return await service.run_rounds(count, every, on_outcome)

        try:
            return asyncio.run(work())
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
