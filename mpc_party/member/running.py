"""`mpc-party run`: open everything, run the service, close everything, whatever ends it."""

import asyncio
import os
import secrets
import signal
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mpc_party.journal import Journal, JournalError, Standing, read_standing
from mpc_party.journal.standing import REMEDY_RESTORED
from mpc_party.market import DeskView, open_source
from mpc_party.market.chain import FlowSource, MarketSource
from mpc_party.market.positions import read_positions
from mpc_party.market.source import open_flow
from mpc_party.member.connecting import open_mesh
from mpc_party.member.epoch_switch import finish_move, transcript_to
from mpc_party.member.evidence_files import keep_evidence
from mpc_party.member.home import BrokerSettings, PartyHome, Settings
from mpc_party.member.joining import require_fitting
from mpc_party.protocol.broker_access import BrokerCredentials
from mpc_party.protocol.bus import Bus
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.protocol.files import read_text_limited
from mpc_party.protocol.identity import Identity
from mpc_party.protocol.passphrase import Passphrase
from mpc_party.signing import MessageKeys

if TYPE_CHECKING:
    from mpc_party.daemon.round_job import PartyContext

BROKER_PATIENCE = (
    5.0  # seconds, at the start only: a broker that starts at the same moment may be a little later
)


@dataclass(frozen=True)
class Options:
    """What the command line says; None where `party.toml` or a default decides."""

    market: str | None = None
    flow: str | None = None
    positions: str | None = None
    desk_seed: str | None = field(default=None, repr=False)
    coverage: float | None = None
    noise: float | None = None
    broker_url: str | None = None
    listen: str | None = None


def run_until_interrupted(folder: PartyHome, passphrase: Passphrase, options: Options) -> None:
    """Run this folder's party until SIGINT or SIGTERM.

    Raises:
        ConsortiumError: something is missing or wrong; nothing has been started then, or all is closed again.
    """
    # First, as the files of a folder that is between two epochs may not fit each other.
    finish_move(folder)
    standing = read_standing(folder.journal_file)
    if standing is not None and standing.obstacle is not None:
        raise standing.obstacle
    identity, consortium = folder.identity(passphrase), folder.consortium()
    # Before the shares, which would only say that they do not fit.
    if standing is not None and (refusal := standing.refusal(consortium.epoch)) is not None:
        raise refusal
    own = identity.require_member(consortium)
    consortium.require_ready()
    _require_memory(folder, standing, consortium)
    settings = folder.settings()
    # All that can be wrong is found out before the journal, the first thing to be written.
    model = folder.model_share(identity, consortium, own)
    require_fitting(consortium, model)
    key = folder.key_share(passphrase, consortium, own)
    credentials = broker_credentials(settings.broker)
    positions = positions_file(settings, options)
    with ExitStack() as stack:
        desk = desk_view(settings, options)
        _close_at_the_end(stack, desk.source)
        flow, own_feed = flow_source(settings, options, desk.source)
        if own_feed:
            _close_at_the_end(stack, flow)
        journal = stack.enter_context(
            Journal.open(folder.journal_file, consortium=consortium.id_bytes, epoch=consortium.epoch)
        )
        journal.require_ready()  # now that nobody else writes it
        mesh = stack.enter_context(
            open_mesh(
                consortium,
                own,
                identity,
                listen=options.listen or settings.listen,
                consortium_hash=consortium.hash,
            )
        )
        # Torch takes a second or two to import, which nobody waits for who is told that something is wrong.
        from mpc_party.daemon import round_job  # noqa: PLC0415
        from mpc_party.secure.memory import keep_freed_memory  # noqa: PLC0415

        keep_freed_memory()
        keys = {index: bytes.fromhex(m.signing_key) for index, m in enumerate(consortium.members)}
        party = round_job.PartyContext(
            consortium=consortium,
            own=own,
            desk=desk,
            mesh=mesh,
            journal=journal,
            key=key,
            model=model,
            approver=MessageKeys(sign=identity.sign, keys=keys),
            flow=flow,
            positions=positions,
            keep_evidence=partial(keep_evidence, folder.path),
        )
        url = options.broker_url or settings.broker.url
        asyncio.run(_serve(party, identity, consortium, credentials, url))


def _require_memory(folder: PartyHome, standing: Standing | None, consortium: Consortium) -> None:
    """A folder that has come through a change of epoch has a journal that came along.

    Raises:
        JournalError: RESTORED_UNSAFE, it is gone, or an old copy is in its place: what was promised since is not known.
    """
    epoch = consortium.epoch
    if standing is None:
        lost = transcript_to(folder, epoch) is not None
    else:
        lost = standing.consortium == consortium.id_bytes and standing.epoch < epoch
    if lost:
        raise JournalError(
            f"the journal is {'gone' if standing is None else f'of epoch {standing.epoch}'}, and this folder is in epoch {epoch}:"
            " it does not know what this party has promised since",
            reason=Reason.RESTORED_UNSAFE,
            remedy=REMEDY_RESTORED,
        )


async def _serve(
    party: "PartyContext",
    identity: Identity,
    consortium: Consortium,
    credentials: BrokerCredentials,
    url: str | None,
) -> None:
    from mpc_party.daemon.service import PartyService  # noqa: PLC0415 - as above

    async with Bus(
        consortium,
        identity,
        url=url,
        credentials=credentials,
        last_round=party.journal.last_round(),
        patience=BROKER_PATIENCE,
    ) as bus:
        # Not before: until the broker is reached, there is nothing to end in good order, and a signal just ends it.
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await PartyService(party, bus).run(stop)


def desk_view(settings: Settings, options: Options) -> DeskView:
    """This desk's view of its market source.

    Raises:
        ConfigError: no market source is named, or a number is out of range.
    """
    market = options.market or settings.market
    if market is None:
        raise ConfigError("no market source", remedy="give --market, or `market` in party.toml")
    coverage = settings.desk.coverage if options.coverage is None else options.coverage
    noise = settings.desk.noise if options.noise is None else options.noise
    if not (0 < coverage <= 1 and 0 <= noise <= 1):
        raise ConfigError("coverage must be in (0, 1] and noise in [0, 1]")
    seed = settings.desk.seed if options.desk_seed is None else options.desk_seed
    if not seed:  # one that everybody knows would give the desk's view of a recording away
        seed = secrets.token_hex(16)
    return DeskView(open_source(market), seed, coverage, noise)


def flow_source(settings: Settings, options: Options, market: MarketSource) -> tuple[FlowSource | None, bool]:
    """Where this desk's order flow comes from, and whether that is a feed of its own.

    The feed named, else the market where it has order flow; None where there is neither.

    Raises:
        ConsortiumError: there is no such source.
    """
    flow = options.flow or settings.flow
    if flow is not None:
        return open_flow(flow), True
    return (market if isinstance(market, FlowSource) else None), False


def positions_file(settings: Settings, options: Options) -> Path | None:
    """The file with this desk's positions, read once to find out what is wrong with it; None where it has none.

    Raises:
        ConsortiumError: it does not read.
    """
    file = _expanded(options.positions or settings.positions)
    if file is None:
        return None
    read_positions(Path(file))
    return Path(file)


def _close_at_the_end(stack: ExitStack, source: object) -> None:
    """Live sources have threads and connections."""
    close = getattr(source, "close", None)
    if close is not None:
        stack.callback(close)


def broker_credentials(settings: BrokerSettings) -> BrokerCredentials:
    """Credentials for the broker: from `party.toml`, else from the environment (MPC_BROKER_USERNAME and so on).

    Raises:
        ConfigError: a file that is named does not read.
    """
    if settings == BrokerSettings(url=settings.url):
        return BrokerCredentials.from_environment(os.environ)
    password = None
    if settings.password_file is not None:
        file = os.path.expanduser(settings.password_file)  # noqa: PTH111 - leaves an unknown user's ~ as it is
        password = read_text_limited(file, 1024, "broker password").rstrip("\r\n")
    return BrokerCredentials(
        username=settings.username,
        password=password,
        ca_file=_expanded(settings.ca_file),
        certificate_file=_expanded(settings.certificate_file),
        key_file=_expanded(settings.key_file),
    )


def _expanded(file: str | None) -> str | None:
    """A file that may lie in somebody's home (`~`)."""
    return None if file is None else os.path.expanduser(file)  # noqa: PTH111 - leaves an unknown user's ~ as it is
