"""One refit over a session of all members: agreement, private inputs, the solve, shares at rest. No file is touched.

    step                   who            rounds
    agree on parameters    all            2
    seeds                  committee      1
    inputs                 all            1 (3 with members outside of the committee)
    check of the inputs    committee      6, opens a count per desk
    solve                  committee      19 + squarings, opens a verdict
    shares at rest         all            3
    attestations           all            1, by the caller, after its share is on its disk

The committee are the first three members. The others put in their data as they do, wait, and get their shares.
"""

import hashlib

from mpc_party.mesh import Exchange
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import ConfigError
from mpc_party.protocol.shares_at_rest import SharesAtRest
from mpc_party.refit.agreement import RefitParameters, model_header
from mpc_party.refit.equations import Equations
from mpc_party.refit.inputs import all_inputs, deal_from_outside
from mpc_party.refit.solve import FRACTION_BITS, require_inputs_in_range, solve
from mpc_party.refit.to_rest import COMMITTEE, to_rest
from mpc_party.secure import SecureSession, SessionContext

_CONTEXT = b"mpc-hedge/refit-session/v1"


def require_supported(consortium: Consortium) -> None:
    """Refuse a threshold that the computation does not have.

    Raises:
        ConfigError: the threshold is not 1.
    """
    if consortium.threshold != 1:
        raise ConfigError(
            f"a refit computes with threshold 1, this consortium has {consortium.threshold}",
            remedy="fit the model in the clear and deal it with `mpc-models deal`",
        )


def compute_refit(
    links: Exchange, consortium: Consortium, ceremony: bytes, parameters: RefitParameters, own: Equations
) -> SharesAtRest:
    """Run the joint part, from private equations to this member's share at rest. Collective: all members.

    Args:
        links: a session of all members, with a deadline.
        consortium: with threshold 1.
        ceremony: what `agree` gave.
        parameters: agreed on.
        own: this desk's input.

    Raises:
        ConsortiumError: an input or the result is out of range, or somebody deviates; nobody has a share then.
    """
    require_supported(consortium)
    header, committee, names = model_header(consortium), tuple(range(COMMITTEE)), consortium.names
    if links.own not in committee:
        deal_from_outside(links, committee, own, FRACTION_BITS)
        return to_rest(links, header, committee, None, names)
    context = SessionContext(hashlib.sha256(_CONTEXT + ceremony).digest(), consortium.epoch, 0)
    session = SecureSession(links, committee, context, fraction_bits=FRACTION_BITS, names=names).setup()
    with session:
        inputs, labels = all_inputs(links, session, own, names)
        require_inputs_in_range(inputs, labels)
        weights = solve(inputs, parameters.ridge, header.fraction_bits)
        return to_rest(links, header, committee, weights, names)
