"""`mpc-party status`: what a folder holds, what is missing, what to do next. Read-only, and beside a running party."""

from datetime import UTC, datetime
from typing import Any

from rich.markup import escape
from rich.table import Table

from mpc_party.console import stderr, tell
from mpc_party.journal import RoundRecord, Standing, read_rounds, read_standing
from mpc_party.member.ceremony import REMEDY_UNFINISHED
from mpc_party.member.home import REMEDY_SHARE_LOST, PartyHome
from mpc_party.protocol.card import load_card
from mpc_party.protocol.consortium import Consortium
from mpc_party.protocol.errors import ConsortiumError
from mpc_party.protocol.files import one_line

_STEPS = {
    "identity": "make one: mpc-party init NAME --mesh HOST:PORT",
    "consortium": "send your card to the operator, then: mpc-party join FILE",
    "group key": "together with the other members: mpc-party keygen",
    "model": "from the model owner: mpc-party join FILE --model-share SHARE",
    "settlement": "the operator runs mpc-coordinator deploy; then: mpc-party join FILE",
}
_LEFT = "nothing: the card in this folder is that of {name}, who has left; in epoch {epoch} there is no share for it"


def overview(folder: PartyHome, limit: int) -> dict[str, Any]:
    """What there is, as plain data. Files that do not load are named under `problems`.

    Raises:
        ConfigError: the folder does not let us look.
    """
    problems: list[str] = []
    consortium = None
    if folder.has(folder.consortium_file):
        try:
            consortium = folder.consortium()
        except ConsortiumError as error:
            problems.append(str(error))
    share = folder.has(folder.key_share_file)
    have = {
        "identity": folder.has(folder.identity_file),
        "consortium": consortium is not None,
        "group key": consortium is not None and consortium.key is not None and share,
        "model": consortium is not None
        and consortium.model is not None
        and folder.has(folder.model_share_file),
        "settlement": consortium is not None and consortium.settlement is not None,
    }
    left = None
    if consortium is not None and not share:
        try:
            left = _left(folder, consortium)
        except ConsortiumError as error:
            problems.append(str(error))
    rounds: list[dict[str, Any]] = []
    standing = None
    if folder.has(folder.journal_file):
        try:
            standing = read_standing(folder.journal_file)
            rounds = [_round(record) for record in read_rounds(folder.journal_file, limit)]
        except ConsortiumError as error:
            problems.append(str(error))
    if standing is not None and standing.obstacle is not None:
        problems.append(str(standing.obstacle))
    if standing is not None and consortium is not None:
        refusal = standing.refusal(consortium.epoch)
        if refusal is not None:
            problems.append(str(refusal))
    step = next((step for step, present in have.items() if not present), None)
    return {
        "home": str(folder.path),
        "consortium": None
        if consortium is None
        else {
            "name": consortium.name,
            "epoch": consortium.epoch,
            "hash": consortium.hash.hex(),
            "members": list(consortium.names),
        },
        "have": have,
        "ready": step is None and not problems,
        "next": None if problems or step is None else _advice(step, consortium, share=share, left=left),
        "problems": problems,
        "journal": None if standing is None else _journal(standing),
        "rounds": rounds,
    }


def _left(folder: PartyHome, consortium: Consortium) -> str | None:
    """Whose card this folder has, if it is of nobody in the file; None where there is no card, or one that is."""
    cards = [load_card(path).member for path in sorted(folder.path.glob("*.member.toml"))]
    keys = {member.signing_key for member in consortium.members}
    if not cards or any(card.signing_key in keys for card in cards):
        return None
    return cards[0].name


def _advice(step: str, consortium: Consortium | None, *, share: bool, left: str | None) -> str:
    """What to do about the first thing that is missing."""
    if step == "group key" and consortium is not None:
        if consortium.key is not None and left is not None:
            return _LEFT.format(name=left, epoch=consortium.epoch)
        if share:
            return f"key generation broke off after this member's share was stored: {REMEDY_UNFINISHED}"
        if consortium.key is not None:
            return REMEDY_SHARE_LOST
    return _STEPS[step]


def show(seen: dict[str, Any]) -> None:
    """The same for a person."""
    tell(seen["home"])
    if seen["consortium"] is not None:
        of = seen["consortium"]
        tell(f"  consortium {of['name']}, epoch {of['epoch']}: {', '.join(of['members'])}")
    for step, present in seen["have"].items():
        stderr.print(f"  [{'green' if present else 'yellow'}]{'have   ' if present else 'missing'}[/] {step}")
    if seen["journal"] is not None and seen["journal"]["floor"]:
        journal = seen["journal"]
        tell(f"  rounds of epoch {journal['epoch']} up to {journal['floor']} are closed: {journal['why']}")
    for problem in seen["problems"]:
        stderr.print(f"  [red]problem[/] {escape(one_line(problem, 1000))}")
    if seen["next"]:
        tell(f"next: {seen['next']}")
    elif seen["ready"]:
        tell("ready: mpc-party run")
    if seen["rounds"]:
        table = Table("round", "state", "reason", "at fault", "when (UTC)", box=None)
        for record in seen["rounds"]:
            table.add_row(
                str(record["round"]),
                record["state"],
                record["reason"] or "",
                record["culprit"] or "",
                record["at"],
            )
        stderr.print(table)


def _journal(standing: Standing) -> dict[str, Any]:
    undecided = standing.undecided
    return {
        "epoch": standing.epoch,
        "last_round": standing.last_round,
        "floor": standing.floor.round,
        "why": standing.floor.why,
        "safe": standing.floor.known,
        "undecided": None
        if undecided is None
        else {
            "ceremony": undecided.ceremony.hex(),
            "from_epoch": undecided.from_epoch,
            "to_epoch": undecided.to_epoch,
        },
    }


def _round(record: RoundRecord) -> dict[str, Any]:
    return {
        "round": record.round,
        "state": str(record.state),
        "reason": None if record.reason is None else str(record.reason),
        "culprit": record.culprit,
        "at": datetime.fromtimestamp((record.ended_at or record.promised_at) / 1e3, UTC).strftime(
            "%Y-%m-%d %H:%M:%S"
        ),
    }
