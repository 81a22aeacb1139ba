"""Judging an evidence file: the protocols that have a judge, and the one way to ask it."""

from __future__ import annotations

from typing import Final

import msgspec

from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import ConfigError, Reason
from mpc_party.signing.dispute import Case
from mpc_party.signing.evidence import Evidence
from mpc_party.signing.judge_keygen import KeygenCase
from mpc_party.signing.judge_recover import RecoverCase
from mpc_party.signing.judge_reshare import ReshareCase
from mpc_party.signing.signing_case import SigningCase
from mpc_party.signing.verdict import Verdict

CASES: Final[dict[str, type[Case]]] = {
    case.protocol: case for case in (KeygenCase, SigningCase, ReshareCase, RecoverCase)
}
REMEDY_SUCCESSOR: Final = "give the new consortium file, as it was proposed, with --successor"
_encoder = msgspec.msgpack.Encoder()


def case_of(evidence: Evidence) -> Case:
    """What the evidence is about.

    Raises:
        ConfigError: a protocol that this version does not know, or a case that is none.
    """
    kind = CASES.get(evidence.protocol)
    if kind is None:
        raise ConfigError(
            f"evidence of {evidence.protocol!a}, which this version cannot judge",
            reason=Reason.EVIDENCE_INVALID,
            remedy="use the version that wrote it",
        )
    try:
        case = msgspec.msgpack.decode(evidence.case, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        case = None
    if case is None or _encoder.encode(case) != evidence.case or evidence.assembled_by not in case.members:
        raise ConfigError(
            "this evidence does not say what it is about, or is damaged", reason=Reason.EVIDENCE_INVALID
        )
    return case


def judge(evidence: Evidence, consortium: Consortium, successor: Consortium | None = None) -> Verdict:
    """Who is at fault, from the evidence and the consortium file of its epoch alone.

    Args:
        evidence: of any protocol.
        consortium: the file that was in force then; of a resharing, the old one.
        successor: of a resharing, the new file as it was proposed (a key section is not looked at): the keys of those that
            were to join are there. Of no concern for other protocols.

    Raises:
        ConfigError: CONSORTIUM_MISMATCH, it is of another consortium file; or it cannot be judged (see `case_of`).
    """
    case = case_of(evidence)
    misfit = case.misfit(consortium)
    if misfit is not None:
        raise _mismatch(misfit, "give the file that was in force then with --consortium")
    if isinstance(case, ReshareCase):
        if successor is None:
            raise _mismatch("it is of a resharing, and tells of members of both epochs", REMEDY_SUCCESSOR)
        misfit = case.misfit_of_successor(consortium, successor)
        if misfit is not None:
            raise _mismatch(misfit, REMEDY_SUCCESSOR)
        return case.judge(evidence.statements, case.keys(consortium, successor))
    keys = {index: bytes.fromhex(member.signing_key) for index, member in enumerate(consortium.members)}
    return case.judge(evidence.statements, keys)


def _mismatch(what: str, remedy: str) -> ConfigError:
    return ConfigError(
        f"the evidence does not fit the consortium file: {what}",
        reason=Reason.CONSORTIUM_MISMATCH,
        remedy=remedy,
    )
