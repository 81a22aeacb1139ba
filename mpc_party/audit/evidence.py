"""What the committee's disclosures prove together: each is checked against what its member has committed to before.

A member is named where its own signature contradicts a commitment: its disclosed numbers are not those it committed to, it
stands in the report's list of commitments and signs for another proposal, or its share of the model is not the one dealt. Of proposals that differ in
what the report does not show (reference vols, committee), the one that t + 1 members disclose alike is the round's, because one
of these follows the protocol.

The report holds the Merkle root over the committee's commitments only. Members note the commitments of a round; a list with
that root tells which disclosure does not fit. Where nobody has noted them, a wrong root convicts nobody.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mpc_party.audit.disclosure import Disclosure
from mpc_party.audit.errors import AuditError
from mpc_party.audit.opening import proposal_of
from mpc_party.hedging.model import check_header
from mpc_party.hedging.public import PublicInputs, public_inputs
from mpc_party.hedging.snapshot import COLUMNS, LARGEST_INPUT
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import ConfigError, ReportError
from mpc_party.protocol.merkle import merkle_root
from mpc_party.protocol.messages import Proposal
from mpc_party.protocol.model_share import ModelShare, ModelShareError, check_share, reconstruct
from mpc_party.protocol.report import HedgeReport
from mpc_party.protocol.secret import Secret
from mpc_party.protocol.words import ForwardFields, book_hash, pack_forward

Words = NDArray[np.int64]
Floats = NDArray[np.float64]

REMEDY_AGAIN: Final = "give one disclosure of each committee member, of the report's round"


@dataclass(frozen=True, repr=False)
class Evidence(Secret):
    """A round's inputs and weights, as they were committed to. Shows nothing.

    `market`: per committee position int64 (E + 1, 3). `weights`: float64 (count,), decoded.
    """

    proposal: Proposal
    public: PublicInputs
    market: tuple[Words, ...]
    kind: str
    weights: Floats

    def distances(self) -> list[float]:
        """Per committee position, how far its surface lies from the median at most, in log-vol."""
        inputs = np.stack(self.market)[:, :-1] * 2.0**-self.public.program.fraction_bits
        return [float(each) for each in np.abs(inputs - np.median(inputs, axis=0)).max(axis=(1, 2))]


def gather(report: HedgeReport, consortium: Consortium, disclosures: Sequence[Disclosure]) -> Evidence:
    """Check the disclosures against the report, and put inputs and weights together.

    Args:
        report: verified against the consortium file.
        consortium: the file in force at the round.
        disclosures: opened by `open_disclosure`, in any order.

    Raises:
        AuditError: a disclosure is of another round, or contradicts a commitment; names the member where that proves its fault.
        ConfigError: a member's disclosure is missing.
        ConsortiumError: MODEL_MISMATCH, the model is not one for this consortium.
    """
    names = consortium.names
    by_member = _by_member(report, consortium, disclosures)
    listed = _listed_commitments(report, consortium, by_member)
    proposal = _agreed_proposal(report, consortium, by_member, listed)
    committee = proposal.committee
    for member in by_member:
        if member not in committee:
            raise AuditError(f"{names[member]} was not in the committee of round {report.round}")
    for member, disclosure in by_member.items():
        if listed is not None and disclosure.commitment() != listed[committee.index(member)]:
            raise AuditError(
                f"the market data that {names[member]} discloses are not those it committed to in round {report.round}",
                culprit=names[member],
            )
    shares = [_checked_share(report, names, disclosure) for disclosure in by_member.values()]
    missing = [names[member] for member in committee if member not in by_member]
    if missing:
        raise ConfigError(
            f"no disclosure of {', '.join(missing)}",
            remedy=f"ask for `mpc-party disclose --round {report.round}`",
        )
    if listed is None and merkle_root([by_member[m].commitment() for m in committee]) != report.inputs:
        raise AuditError(
            "one of the disclosed inputs is not what was committed to; as no disclosure lists the commitments, "
            "nobody can be named"
        )
    bits = consortium.program.fraction_bits
    market = tuple(_market(by_member[member], names[member], proposal, bits) for member in committee)
    header = shares[0].header
    check_header(header, consortium=consortium.id_bytes, epoch=consortium.epoch, fraction_bits=bits)
    weights = np.array(reconstruct(shares), dtype=np.float64) * 2.0**-bits
    return Evidence(proposal, public_inputs(proposal, consortium.program), market, header.kind, weights)


def _by_member(
    report: HedgeReport, consortium: Consortium, disclosures: Sequence[Disclosure]
) -> dict[int, Disclosure]:
    """By member, ascending; all of the report's round."""
    found: dict[int, Disclosure] = {}
    for disclosure in sorted(disclosures, key=lambda each: each.member):
        name = consortium.names[disclosure.member]
        if (disclosure.epoch, disclosure.round) != (report.epoch, report.round):
            raise AuditError(
                f"{name}'s disclosure is of round {disclosure.round} in epoch {disclosure.epoch}, the report of round "
                f"{report.round} in epoch {report.epoch}",
                remedy=REMEDY_AGAIN,
            )
        if disclosure.consortium != consortium.hash:
            raise AuditError(
                f"{name}'s disclosure is of a round under another consortium file, {disclosure.consortium.hex()[:16]}...",
                remedy="audit with the consortium file that was in force in the round",
            )
        if disclosure.member in found:
            raise AuditError(f"there are two disclosures of {name}", remedy=REMEDY_AGAIN)
        found[disclosure.member] = disclosure
    if not found:
        raise ConfigError("no disclosure", remedy=REMEDY_AGAIN)
    return found


def _agreed_proposal(
    report: HedgeReport,
    consortium: Consortium,
    by_member: dict[int, Disclosure],
    listed: tuple[bytes, ...] | None,
) -> Proposal:
    names = consortium.names

    def at_fault(member: int) -> str | None:
        # A coordinator can propose two things under one number. Who took part in the other one, and gave it up, is honest
        # and discloses another proposal; who stands in the list behind the report computed that report.
        took_part = listed is not None and by_member[member].commitment() in listed
        return names[member] if took_part else None

    for member, disclosure in by_member.items():
        try:
            proposal = proposal_of(disclosure.proposal)
        except AuditError as error:
            raise AuditError(f"{names[member]} discloses {error.message}", culprit=names[member]) from None
        differs = _differences(proposal, report)
        if differs:
            raise AuditError(
                f"the proposal that {names[member]} discloses has not the report's {', '.join(differs)}",
                culprit=at_fault(member),
            )
        if not _possible_committee(proposal.committee, consortium):
            raise AuditError(f"{names[member]} discloses an impossible committee", culprit=names[member])
    (most, count), *others = Counter(each.proposal for each in by_member.values()).most_common()
    if others:
        odd = [member for member, each in by_member.items() if each.proposal != most]
        # Of t + 1 members one follows the protocol, and those that do have compared proposals before they computed.
        proven = count > consortium.threshold
        raise AuditError(
            f"the proposals disclosed differ: {', '.join(names[each] for each in odd)} against {count} of {len(by_member)}",
            culprit=at_fault(odd[0]) if proven and len(odd) == 1 else None,
        )
    return proposal_of(most)


def _differences(proposal: Proposal, report: HedgeReport) -> list[str]:
    """Names of the report's fields that are not those of the proposal."""
    try:
        book = book_hash(proposal.underlying, proposal.expiries, proposal.instruments)
    except ReportError:
        book = b""
    forwards = b"".join(pack_forward(ForwardFields(slot.expiry, slot.forward)) for slot in proposal.expiries)
    pairs = {
        "epoch": (proposal.epoch, report.epoch),
        "round": (proposal.round, report.round),
        "observed_at": (proposal.observed_at, report.observed_at),
        "valid_until": (proposal.valid_until, report.valid_until),
        "book": (book, report.book),
        "forwards": (forwards, report.forwards),
    }
    return [name for name, (proposed, reported) in pairs.items() if proposed != reported]


def _possible_committee(committee: tuple[int, ...], consortium: Consortium) -> bool:
    return (
        len(committee) == 2 * consortium.threshold + 1
        and all(a < b for a, b in pairwise(committee))
        and committee[0] >= 0
        and committee[-1] < len(consortium.members)
    )


def _listed_commitments(
    report: HedgeReport, consortium: Consortium, by_member: dict[int, Disclosure]
) -> tuple[bytes, ...] | None:
    """The committee's commitments, proven by the report's root; None where nobody has noted them."""
    names, size, listed = consortium.names, 2 * consortium.threshold + 1, None
    for member, disclosure in by_member.items():
        if not disclosure.commitments:
            continue
        if len(disclosure.commitments) != size or merkle_root(disclosure.commitments) != report.inputs:
            raise AuditError(
                f"the commitments that {names[member]} lists are not those of the report",
                # With room for two committees, an honest member can have signed another report of this number.
                culprit=names[member] if len(names) < 2 * size else None,
            )
        listed = disclosure.commitments
    return listed


def _checked_share(report: HedgeReport, names: Sequence[str], disclosure: Disclosure) -> ModelShare:
    try:
        return check_share(disclosure.model, member=disclosure.member, commitment=report.model)
    except ModelShareError as error:
        name = names[disclosure.member]
        raise AuditError(
            f"the share of the model that {name} discloses: {error.message}", culprit=name
        ) from None


def _market(disclosure: Disclosure, name: str, proposal: Proposal, fraction_bits: int) -> Words:
    words = disclosure.market_words()
    if words.shape != (len(proposal.expiries) + 1, COLUMNS):
        raise AuditError(
            f"{name} committed to {len(words)} rows for {len(proposal.expiries)} expiries", culprit=name
        )
    limit = int(LARGEST_INPUT * (1 << fraction_bits))
    outside = int(np.count_nonzero((words > limit) | (words < -limit)))
    if outside:
        raise AuditError(f"{name} committed to {outside} numbers that are out of range", culprit=name)
    return words
