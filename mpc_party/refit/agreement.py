"""What all members of a refit must have given alike, and how they find out before anything secret is shared."""

import hashlib
import secrets
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from mpc_party.hedging.model import MINIMUM_VARIANCE, WEIGHTS
from mpc_party.mesh import Exchange, FrameKind
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import ConsortiumError, Reason
from mpc_party.protocol.model_share import VERSION, ModelHeader
from mpc_party.refit.solve import HIGHEST_RIDGE, LOWEST_RIDGE

DEFAULT_RIDGE: Final = 0.05
DEFAULT_HALF_LIFE: Final = 14.0
DEFAULT_INTERVALS: Final = 20
_CEREMONY: Final = b"mpc-hedge/refit-ceremony/v1"
_RANDOM_BYTES: Final = 32


class RefitParameters(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The public parameters of one refit. Times are Unix seconds; None is the whole of a desk's history."""

    underlying: Annotated[str, Meta(pattern=r"^[A-Z0-9_]{1,20}\Z")]
    ridge: Annotated[float, Meta(ge=LOWEST_RIDGE, le=HIGHEST_RIDGE)] = DEFAULT_RIDGE
    half_life: Annotated[float, Meta(ge=0.01, le=100_000)] = DEFAULT_HALF_LIFE  # days
    start: Annotated[int, Meta(ge=0, lt=1 << 40)] | None = None
    end: Annotated[int, Meta(ge=0, lt=1 << 40)] | None = None
    intervals: Annotated[int, Meta(ge=1, le=1_000_000)] = DEFAULT_INTERVALS  # that a desk must have at least
    kind: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,40}\Z")] = MINIMUM_VARIANCE
    version: int = 1  # of this protocol


class _Greeting(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="refit"):
    parameters: RefitParameters
    random: Annotated[bytes, Meta(min_length=_RANDOM_BYTES, max_length=_RANDOM_BYTES)]


def agree(links: Exchange, consortium: Consortium, parameters: RefitParameters) -> bytes:
    """Compare the parameters, and name this attempt. Collective: all members of the session; two rounds.

    Returns:
        32 bytes, the same at all honest members, fresh as long as there is one: a hash over the consortium file, the
        parameters and random bytes of each, which all compare. So whoever has another name for the attempt later
        on has not been told other bytes, and is rightly named.

    Raises:
        ConsortiumError: PROGRAM_MISMATCH, naming a member that gave something else, and what; ECHO_MISMATCH, naming
            nobody: somebody told members different bytes, which those that are told do not learn from whom.
    """
    greeting = _Greeting(parameters, secrets.token_bytes(_RANDOM_BYTES))
    mine = msgspec.msgpack.encode(greeting)
    answers = links.exchange(FrameKind.CEREMONY, dict.fromkeys(links.peers, mine), links.peers)
    said = {links.own: greeting}
    for member, data in answers.items():
        name = consortium.names[member]
        try:
            said[member] = msgspec.msgpack.decode(data, type=_Greeting)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise _differs(f"what {name} begins with is not a refit of this version", name) from None
        if msgspec.msgpack.encode(said[member]) != data:
            raise _differs(f"{name} begins in a second encoding", name)
        theirs = said[member].parameters
        for field in RefitParameters.__struct_fields__:
            if getattr(theirs, field) != getattr(parameters, field):
                raise _differs(
                    f"{field}: {name} has {getattr(theirs, field)}, here it is {getattr(parameters, field)}",
                    name,
                )
    digest = hashlib.sha256(_CEREMONY + consortium.hash + msgspec.msgpack.encode(parameters))
    for member in sorted(said):
        digest.update(said[member].random)
    ceremony = digest.digest()
    echoes = links.exchange(FrameKind.CHECK, dict.fromkeys(links.peers, ceremony), links.peers)
    if any(echo != ceremony for echo in echoes.values()):
        raise ConsortiumError(
            "somebody has told different members different things about this refit",
            reason=Reason.ECHO_MISMATCH,
            remedy="nothing is stored; run the refit again, and find out who runs other software",
        )
    return ceremony


def model_header(consortium: Consortium) -> ModelHeader:
    """The header of a refitted model."""
    return ModelHeader(
        version=VERSION,
        consortium=consortium.id_bytes,
        epoch=consortium.epoch,
        kind=MINIMUM_VARIANCE,
        count=len(WEIGHTS),
        fraction_bits=consortium.program.fraction_bits,
        members=len(consortium.members),
        threshold=consortium.threshold,
    )


def _differs(message: str, name: str) -> ConsortiumError:
    return ConsortiumError(
        message,
        reason=Reason.PROGRAM_MISMATCH,
        culprit=name,
        remedy="all members give the same options of the refit and use the same version",
    )
