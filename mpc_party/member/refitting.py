"""The refit as members run it: together, each at its own terminal or by its scheduler, their parties stopped.

What each state means, and what to do:

    waiting until TIME      `--at`: nothing has begun; Ctrl-C leaves everything as it is
    reading history         this desk's own view of the market, on this machine only
    waiting for NAME        that member has not started `mpc-party refit` yet, is still reading, or is unreachable; where it
                            is refused instead, one of the two has an older consortium file: `mpc-party join` the newest
    solving                 about 80 exchanges, 40 ms over loopback; an abort names who broke which rule, nothing is stored
    attesting               the new share lies beside the old one; every member signs the same commitment
    done                    consortium file and share are the new ones; all members' files are identical

A member attests only after its new share is on its disk. So a consortium file with the new model, which is written when
all have attested, says that no share is missing; and where a refit breaks off while members attest, there are two cases:

    some member has the new consortium file     the others `mpc-party join` it, with --model-share model-share.next.age
    no member has it                            all go on with the old model, or run the refit again

Files, in the order in which they are written:

    model-share.next.age        before attesting; of no use to anybody as long as no consortium file names it
    consortium.previous.toml    the old consortium file
    model-share.previous.age    the old share (a link)
    consortium.toml             the new one: from here on the new model counts
    model-share.age             model-share.next.age, renamed

Between the last two, the share that fits is the one beside, and whoever opens a share looks there too
(`PartyHome.model_share`). So a process that is killed leaves the old pair or the new pair. The previous pair stays until
the next refit: to go back, all members `mpc-party join consortium.previous.toml --model-share model-share.previous.age`.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mpc_party.journal import read_standing
from mpc_party.member.ceremony import wait_for_members
from mpc_party.member.connecting import open_mesh
from mpc_party.member.epoch_switch import finish_move
from mpc_party.member.home import PartyHome
from mpc_party.member.moments import parse_utc, utc
from mpc_party.member.running import Options, desk_view
from mpc_party.mesh import Mesh, deadline_in
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_file import dump_consortium, save_consortium
from mpc_party.protocol.errors import ConfigError, ConsortiumError
from mpc_party.protocol.files import write_atomic
from mpc_party.protocol.identity import Identity
from mpc_party.protocol.model_share import open_share
from mpc_party.protocol.passphrase import Passphrase

if TYPE_CHECKING:
    from mpc_party.refit.agreement import RefitParameters
    from mpc_party.refit.attestation import RefitRecord
    from mpc_party.refit.equations import Equations

_SESSION = b"mpc-hedge/refit-members/v1"
RUN_SECONDS = 60.0
LONGEST_WAIT_UNTIL = 7 * 86_400  # seconds ahead: a date further off is a mistake


@dataclass(frozen=True)
class RefitOptions:
    """What the command line says. None where `party.toml`, a default or the whole history decides."""

    market: str | None = None
    desk_seed: str | None = field(default=None, repr=False)
    coverage: float | None = None
    noise: float | None = None
    start: int | None = None
    end: int | None = None
    half_life: float | None = None
    ridge: float | None = None
    intervals: int | None = None
    at: int | None = None
    wait: float = 600.0
    listen: str | None = None


@dataclass(frozen=True)
class Refitted:
    """What a refit gave: the new consortium file's contents, and what all members signed."""

    consortium: Consortium
    record: "RefitRecord"


def run_refit(
    folder: PartyHome, passphrase: Passphrase, options: RefitOptions, *, say: Callable[[str], None]
) -> Refitted:
    """The refit of this folder's member, from the market's history to the new consortium file and share.

    Raises:
        ConsortiumError: somebody is missing, data do not suffice, or a check failed. Unless the error says that the
            new share is kept, the folder is as it was.
    """
    finish_move(folder)
    standing = read_standing(folder.journal_file)
    if standing is not None and standing.obstacle is not None:
        raise standing.obstacle  # a model for an epoch that may be over
    identity, consortium = folder.identity(passphrase), folder.consortium()
    own = identity.require_member(consortium)
    finish_switch(folder, identity, consortium, own)
    desk = desk_view(
        folder.settings(),
        Options(
            market=options.market,
            desk_seed=options.desk_seed,
            coverage=options.coverage,
            noise=options.noise,
        ),
    )
    try:
        # Torch takes a second or two to import, which nobody waits for who is told that something is wrong.
        from mpc_party.refit.history import desk_equations  # noqa: PLC0415
        from mpc_party.refit.protocol import require_supported  # noqa: PLC0415

        require_supported(consortium)
        parameters = refit_parameters(desk.source.underlying, options)
        if options.at is not None:
            wait_until(options.at, options.wait, say)
        say("reading history")
        equations = desk_equations(desk, parameters, consortium.program.max_quote_age)
    finally:
        close = getattr(desk.source, "close", None)
        if close is not None:
            close()
    mesh = open_mesh(
        consortium,
        own,
        identity,
        listen=options.listen or folder.settings().listen,
        consortium_hash=consortium.hash,
    )
    with mesh:
        record = refit_together(
            folder, consortium, own, identity, mesh, parameters, equations, options.wait, say
        )
    completed = msgspec.structs.replace(consortium, model=record.model)
    with share_is_kept(folder):
        switch(folder, consortium, completed)
    return Refitted(completed, record)


def refit_parameters(underlying: str, options: RefitOptions) -> "RefitParameters":
    """The public parameters, which all members must give alike.

    Raises:
        ConfigError: one is out of its range.
    """
    from mpc_party.refit.agreement import RefitParameters  # noqa: PLC0415 - as above

    given = {name: getattr(options, name) for name in ("ridge", "half_life", "start", "end", "intervals")}
    parameters = RefitParameters(underlying, **{k: v for k, v in given.items() if v is not None})
    if parameters.start is not None and parameters.end is not None and parameters.start >= parameters.end:
        raise ConfigError("the window ends before it starts", remedy="give an earlier --from or a later --to")
    try:
        return msgspec.convert(msgspec.to_builtins(parameters), RefitParameters)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the refit's parameters: {error}", remedy="see `mpc-party refit --help`") from None


def refit_together(
    folder: PartyHome,
    consortium: Consortium,
    own: int,
    identity: Identity,
    mesh: Mesh,
    parameters: "RefitParameters",
    equations: "Equations",
    wait: float,
    say: Callable[[str], None],
) -> "RefitRecord":
    """Meet the others, solve, keep the new share beside the old one, and attest. Collective: all members.

    Args:
        folder: where the new share is kept.
        consortium: the file that all members have, whose model is replaced.
        own: this member's index.
        identity: its keys.
        mesh: started, under the consortium's hash.
        parameters: given alike at all members.
        equations: this desk's private input.
        wait: seconds to wait for the other members.
        say: told each state as it is entered.
    """
    from mpc_party.refit.agreement import agree  # noqa: PLC0415 - as above
    from mpc_party.refit.attestation import attest  # noqa: PLC0415 - as above
    from mpc_party.refit.protocol import compute_refit  # noqa: PLC0415 - as above

    members = range(len(consortium.members))
    wait_for_members(mesh, consortium, own, wait, say)
    session = hashlib.sha256(_SESSION + consortium.hash).digest()
    with mesh.session(session, members, deadline_in(RUN_SECONDS)) as links:
        ceremony = agree(links, consortium, parameters)
        say("solving")
        share = compute_refit(links, consortium, ceremony, parameters, equations)
        sealed = share.seal(identity.member.encryption_key)
        # What will be read is what was agreed on: from here on the old share is on its way out.
        open_share(sealed, identity.decrypt, member=own, commitment=share.commitment)
        write_atomic(folder.next_model_share_file, sealed, secret=True)
        say("attesting")
        with share_is_kept(folder):
            return attest(links, consortium, ceremony, parameters, share.commitment, identity.sign)


def switch(folder: PartyHome, before: Consortium, after: Consortium) -> None:
    """Make the new pair the one that counts, and keep the old one: see the top of the file.

    Raises:
        ConfigError: a file cannot be written; the old pair counts then.
    """
    write_atomic(folder.path / "consortium.previous.toml", dump_consortium(before).encode("utf-8"))
    if folder.has(folder.model_share_file):
        _replace_by_link(folder.model_share_file, folder.path / "model-share.previous.age")
    else:  # the consortium's first model: a share that no file names does no harm
        _replace_by_link(folder.next_model_share_file, folder.model_share_file)
    save_consortium(folder.consortium_file, after)
    _promote(folder)


def finish_switch(folder: PartyHome, identity: Identity, consortium: Consortium, own: int) -> None:
    """Take up where a process was killed after the new consortium file was in place. Does nothing otherwise.

    A new refit writes over the share beside; if that one is in use, it must be in its place before.

    Raises:
        ConfigError: the files cannot be renamed.
    """
    if consortium.model is None or not folder.has(folder.next_model_share_file):
        return
    commitment = bytes.fromhex(consortium.model)
    try:
        open_share(
            folder.next_model_share_file.read_bytes(), identity.decrypt, member=own, commitment=commitment
        )
    except (ConsortiumError, OSError):
        return  # of a refit that broke off
    _promote(folder)


def _promote(folder: PartyHome) -> None:
    with _told_as_config(folder.model_share_file):
        folder.next_model_share_file.replace(folder.model_share_file)
        # Where both names were of one file, renaming has left both.
        folder.next_model_share_file.unlink(missing_ok=True)


def _replace_by_link(file: Path, link: Path) -> None:
    """Let `link` name what `file` names, whatever it named before; takes no space."""
    fresh = link.with_name(f".{link.name}.new")
    with _told_as_config(link):
        fresh.unlink(missing_ok=True)
        os.link(file, fresh)
        fresh.replace(link)


@contextmanager
def _told_as_config(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from None


@contextmanager
def share_is_kept(folder: PartyHome) -> Iterator[None]:
    """What to do where the refit breaks off after this member's new share was stored."""
    try:
        yield
    except ConsortiumError as error:
        raise ConsortiumError(
            f"{error.message}; this member's new share is kept beside the old one",
            reason=error.reason,
            culprit=error.culprit,
            remedy="if another member has the new model, `mpc-party join` its consortium file with --model-share "
            f"{folder.next_model_share_file}; if none has, the old model goes on, and all may run the refit again",
        ) from None


def wait_until(moment: int, patience: float, say: Callable[[str], None]) -> None:
    """Wait for a time, Unix seconds, by the wall clock. Past by less than `patience`, the others' wait, it is no wait.

    Raises:
        ConfigError: it is past by more, or more than a week ahead.
    """
    left = moment - time.time()
    if not -patience <= left <= LONGEST_WAIT_UNTIL:
        raise ConfigError(
            f"--at {utc(moment)} is {'past' if left < 0 else 'more than a week ahead'}",
            remedy="give a UTC time such as 2026-01-31T18:00Z, the same at all members",
        )
    if left > 0:
        say(f"waiting until {utc(moment)}")
    while (left := moment - time.time()) > 0:
        time.sleep(min(left, 1.0))  # the wall clock may be set while we wait


__all__ = [
    "RefitOptions",
    "Refitted",
    "finish_switch",
    "parse_utc",
    "refit_parameters",
    "run_refit",
    "switch",
    "wait_until",
]
