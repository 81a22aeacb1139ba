"""`mpc-party status`: what a folder holds, what is missing, what to do next. Read-only, and beside a running party."""

from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from mpc_party.console import stderr
from mpc_party.journal import RoundRecord, read_rounds
from mpc_party.member.home import PartyHome
from mpc_party.protocol.errors import ConsortiumError

_STEPS = (
    ("identity", "make one: mpc-party init NAME --mesh HOST:PORT"),
    ("consortium", "send your card to the operator, then: mpc-party join FILE"),
    ("group key", "together with the other members: mpc-party keygen"),
    ("model", "from the model owner: mpc-party join FILE --model-share SHARE"),
    ("settlement", "the operator runs mpc-coordinator deploy; then: mpc-party join FILE"),
)


def overview(folder: PartyHome, limit: int) -> dict[str, Any]:
    """What there is, as plain data. Files that do not load are named under `problems`."""
    problems: list[str] = []
    consortium = None
    if folder.consortium_file.exists():
        try:
            consortium = folder.consortium()
        except ConsortiumError as error:
            problems.append(str(error))
    have = {
        "identity": folder.identity_file.exists(),
        "consortium": consortium is not None,
        "group key": consortium is not None and consortium.key is not None and folder.key_share_file.exists(),
        "model": consortium is not None and consortium.model is not None and folder.model_share_file.exists(),
        "settlement": consortium is not None and consortium.settlement is not None,
    }
    rounds: list[dict[str, Any]] = []
    if folder.journal_file.exists():
        try:
            rounds = [_round(record) for record in read_rounds(folder.journal_file, limit)]
        except ConsortiumError as error:
            problems.append(str(error))
    missing = [advice for step, advice in _STEPS if not have[step]]
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
        "ready": not missing and not problems,
        "next": missing[0] if missing else None,
        "problems": problems,
        "rounds": rounds,
    }


def show(seen: dict[str, Any]) -> None:
    """The same for a person."""
    stderr.print(f"[bold]{seen['home']}[/]")
    if seen["consortium"] is not None:
        of = seen["consortium"]
        stderr.print(f"  consortium {of['name']}, epoch {of['epoch']}: {', '.join(of['members'])}")
    for step, present in seen["have"].items():
        stderr.print(f"  [{'green' if present else 'yellow'}]{'have   ' if present else 'missing'}[/] {step}")
    for problem in seen["problems"]:
        stderr.print(f"  [red]problem[/] {problem}", markup=True)
    if seen["next"]:
        stderr.print(f"next: {seen['next']}")
    elif seen["ready"]:
        stderr.print("ready: mpc-party run")
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


def _round(record: RoundRecord) -> dict[str, Any]:
    return {
        "round": record.round,
        "state": str(record.state),
        "reason": None if record.reason is None else str(record.reason),
        "culprit": record.culprit,
        "at": datetime.fromtimestamp((record.ended_at or record.promised_at) / 1e3, UTC).strftime("%Y-%m-%d %H:%M:%S"),
    }
