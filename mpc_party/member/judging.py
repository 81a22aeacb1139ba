"""`mpc-party evidence`: what an evidence file shows, and what it proves, from the consortium file of its epoch alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpc_party.member.evidence_files import read_evidence
from mpc_party.member.home import PartyHome
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.consortium_file import load_consortium
from mpc_party.signing import Evidence
from mpc_party.signing.evidence import DISCLOSURE, decode_disclosure
from mpc_party.signing.judges import case_of, judge, names_in
from mpc_party.signing.verdict import Verdict


@dataclass(frozen=True)
class Judged:
    """An evidence file and its verdict, with names."""

    about: str
    assembled_by: str
    names: tuple[str, ...]
    verdict: Verdict
    files: tuple[
        Consortium, ...
    ]  # whose keys were believed: whoever takes them from the accuser believes the accuser

    @property
    def proves(self) -> bool:
        """Whether somebody's own signatures show its fault."""
        return bool(self.verdict.proven)

    def summary(self) -> dict[str, Any]:
        """For --json."""
        return {
            "about": self.about,
            "assembled_by": self.assembled_by,
            "judged_by": [
                {"name": file.name, "epoch": file.epoch, "roster": file.roster_hash.hex()}
                for file in self.files
            ],
            "proven": [self.names[member] for member in self.verdict.proven],
            "findings": [
                {
                    "member": self.names[finding.culprit],
                    "fault": finding.fault.value,
                    "proof": finding.proof.value,
                    "text": finding.text,
                }
                for finding in self.verdict.findings
            ],
        }

    def lines(self) -> list[str]:
        """For a person."""
        said = [f"evidence of {self.about}, written by {self.assembled_by}"]
        said += [
            f"judged by the keys of {file.name}, epoch {file.epoch}, roster {file.roster_hash.hex()[:16]}: have that file from"
            " somebody else than the accuser"
            for file in self.files
        ]
        said += [f"{f.proof.value}: {self.names[f.culprit]} {f.text}" for f in self.verdict.findings]
        if not self.proves:
            said.append("nobody is proven at fault")
        return said


def judge_file(path: Path, consortium: Consortium, successor: Consortium | None = None) -> Judged:
    """Judge an evidence file; of a resharing, with the new consortium file as `successor`.

    Raises:
        ConfigError: EVIDENCE_INVALID, CONSORTIUM_MISMATCH, or the file cannot be read.
    """
    evidence = read_evidence(path)
    verdict = judge(evidence, consortium, successor)
    names = names_in(evidence, consortium, successor)
    files = (consortium,) if successor is None else (consortium, successor)
    return Judged(case_of(evidence).describe(), names[evidence.assembled_by], names, verdict, files)


def consortium_for(consortium: Path | None, home: Path) -> Consortium:
    """The file given, else the one in this member's folder.

    Raises:
        ConfigError: there is none, or it does not load.
    """
    return PartyHome.at(home).consortium() if consortium is None else load_consortium(consortium)


def contents(evidence: Evidence) -> dict[str, Any]:
    """What a file holds, by member index, without judging it: nothing in it has been verified.

    Raises:
        ConfigError: EVIDENCE_INVALID, it does not say what it is about.
    """
    statements = []
    for statement in evidence.statements:
        told: dict[str, Any] = {"member": statement.sender, "statement": statement.step}
        disclosure = decode_disclosure(statement.body) if statement.step == DISCLOSURE else None
        if disclosure is not None:
            told["stage"] = disclosure.stage
            told["claim"] = disclosure.claim.kind
            told["messages"] = [
                {
                    "step": message.step,
                    "sender": message.sender,
                    "receiver": message.receiver,
                    "bytes": len(message.body),
                }
                for message in disclosure.messages
            ]
        statements.append(told)
    return {
        "version": evidence.version,
        "about": case_of(evidence).describe(),
        "assembled_by": evidence.assembled_by,
        "statements": statements,
    }


def content_lines(held: dict[str, Any]) -> list[str]:
    """`contents` for a person."""
    said = [
        f"evidence of {held['about']}, written by member {held['assembled_by']}; nothing here is verified"
    ]
    for told in held["statements"]:
        about = f": {told['claim']} at stage {told['stage']}" if "stage" in told else ""
        said.append(f"member {told['member']} {told['statement']}{about}")
        for message in told.get("messages", ()):
            whom = "all" if message["receiver"] == 255 else f"member {message['receiver']}"
            said.append(
                f"    {message['step']} of member {message['sender']} to {whom}, {message['bytes']} bytes"
            )
    return said
