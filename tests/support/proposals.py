"""A proper proposal, the consortium that it fits, and what a check says of one that it refuses."""

import msgspec
import pytest

from mpc_party.protocol.consortium import Consortium, Member, Program
from mpc_party.protocol.errors import Reason, RoundError
from mpc_party.protocol.messages import Expiry, Instrument, Proposal

NOW = 1_767_258_000
DAY = 86_400
UNIT = 10**8
PROGRAM = Program(max_instruments=6, report_validity=3600, forward_tolerance=0.01)
FORWARDS = (90_000, 90_500, 92_000)
EXPIRIES = (NOW + DAY, NOW + 30 * DAY, NOW + 365 * DAY)


def consortium(members: int = 4, program: Program = PROGRAM) -> Consortium:
    """Only what the checks read is meaningful."""
    return Consortium(
        version=1,
        name="test",
        id="00" * 32,
        epoch=2,
        threshold=1,
        broker="mqtt://127.0.0.1:1883",
        coordinator="00" * 32,
        members=tuple(Member(f"m{i}", "", "", "", "", "") for i in range(members)),
        program=program,
    )


def proposal(**changes) -> Proposal:
    base = Proposal(
        round=9,
        epoch=2,
        committee=(0, 1, 3),
        observed_at=NOW,
        valid_until=NOW + 3600,
        underlying="BTC",
        expiries=tuple(Expiry(e, f * UNIT, 500_000) for e, f in zip(EXPIRIES, FORWARDS, strict=True)),
        instruments=(
            Instrument(0, 88_000 * UNIT, False),
            Instrument(0, 88_000 * UNIT, True),
            Instrument(0, 90_000 * UNIT, False),
            Instrument(1, 85_000 * UNIT, True),
            Instrument(2, 60_000 * UNIT, False),
            Instrument(2, 150_000 * UNIT, True),
        ),
        deadline_ms=10_000,
    )
    return msgspec.structs.replace(base, **changes)


def refused(check, *arguments, reason=Reason.PROPOSAL_REFUSED, match=None, **options) -> RoundError:
    with pytest.raises(RoundError, match=match) as caught:
        check(*arguments, **options)
    assert caught.value.reason is reason
    assert "\n" not in str(caught.value)
    return caught.value
