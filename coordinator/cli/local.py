"""`broker`, `chain` and `demo`: a consortium's surroundings on this machine."""

import importlib
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from mpc_party.console import print_json, stderr, working

Port = Annotated[int, typer.Option(min=0, max=65_535, help="TCP port on loopback; 0 for any free one.")]
JsonLine = Annotated[
    bool, typer.Option("--json", help="Print where it listens as one JSON line, then go on.")
]


def broker(
    *,
    port: Port = 1883,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder for sessions and queued messages.", show_default="a temporary one"),
    ] = None,
    json: JsonLine = False,
) -> None:
    """Run a message broker (NATS Server) on loopback until Ctrl-C.

    For one machine: no TLS, and whoever is on the machine may connect. It reads no secret and can forge no message.
    Between machines, run any MQTT 3.1.1 broker with TLS, and name its mqtts:// URL in the consortium file.
    """
    from coordinator.broker import LocalBroker
    from mpc_party.protocol.errors import ConsortiumError, Reason

    with LocalBroker(store=store, port=port) as local:
        if json:
            print_json({"url": local.url})
        else:
            stderr.print(f"Broker at {local.url}. Ctrl-C stops it.")
        status = _until_terminated(local.wait)
    raise ConsortiumError(f"the broker ended by itself, status {status}", reason=Reason.BROKER_UNREACHABLE)


def chain(
    *,
    port: Port = 8545,
    fund: Annotated[
        list[str] | None,
        typer.Option(help="Address that holds a million ether from the start; may be repeated."),
    ] = None,
    start_time: Annotated[
        int | None,
        typer.Option(
            help="Unix time of the first block: a recorded market's time.", show_default="the present"
        ),
    ] = None,
    chain_id: Annotated[int, typer.Option(min=1, max=2**53 - 1, help="EIP-155 chain id.")] = 31_337,
    json: JsonLine = False,
) -> None:
    """Run an EVM chain (py-evm) behind JSON-RPC on loopback until Ctrl-C. Nothing of it is kept.

    For demos and development: one block per transaction, at once. `create` tells the address to --fund.
    """
    with working("Starting the chain ..."):
        from coordinator.chain import ChainServer, EmbeddedChain, JsonRpc

        server = ChainServer(
            JsonRpc(EmbeddedChain(fund=fund or (), start_time=start_time, chain_id=chain_id)), port
        )
    if json:
        print_json({"url": server.url, "chain_id": chain_id})
    else:
        stderr.print(f"Chain {chain_id} at {server.url}. Ctrl-C stops it.")
        if not fund:
            stderr.print("No address has funds: give --fund ADDRESS to be able to send transactions.")
    server.run()


def demo(context: typer.Context) -> None:
    """Run a whole consortium on this machine: keys, ceremony, rounds, contract; and check what comes out."""
    importlib.import_module("coordinator.demo").run(context.args)


def _until_terminated(wait: Callable[[], int]) -> int:
    """Let SIGTERM end the wait as Ctrl-C does, so that what was started is stopped."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    return wait()
