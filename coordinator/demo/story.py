"""The demo, step by step."""

import secrets
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from coordinator.auditing import FOLLOWS
from coordinator.demo.checks import check_contract, check_final, check_journals, check_report
from coordinator.demo.stage import DemoError, Stage, free_ports
from coordinator.report_file import load_report_file
from mpc_party.console import print_json, stderr
from mpc_party.protocol.consortium import Consortium

if TYPE_CHECKING:
    from coordinator.settlement import Settlement

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace")
MODEL = """\
kind = "minimum-variance-quadratic"
a = -0.25
b = 0.40
c = -0.30
"""
HOUR = 3600
ROUND_SECONDS = 120.0


def run(arguments: Sequence[str]) -> None:
    """Parse the demo's own options and run it."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(demo)
    code = app(list(arguments), prog_name="mpc-coordinator demo", standalone_mode=False)
    if code:
        raise typer.Exit(code)


def demo(
    *,
    members: Annotated[
        int | None,
        typer.Option(min=3, max=7, help="Members of the consortium.", show_default="2 * threshold + 1"),
    ] = None,
    threshold: Annotated[
        int, typer.Option(min=1, max=3, help="t: how many of them may be corrupt; 2t + 1 compute each round.")
    ] = 1,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="Rounds to run.")] = 3,
    chain: Annotated[
        Path | None, typer.Option(help="A recorded option chain (CSV or .csv.gz); else a simulated market.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated market.")] = 7,
    keep: Annotated[Path | None, typer.Option(help="Keep all files in this new folder.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per round.")] = False,
) -> None:
    """Run a whole consortium on this machine: keys, ceremony, rounds, contract; and check what comes out.

    Every step is a command of a real consortium. Exit status 0 only if every round settled, what the contract has
    equals the opened values bit for bit, the last report becomes final and reads so, every delta is Black-76's within 1e-3, and an auditor's replay of the last round in
    the clear gives its report.
    """
    if chain is not None and not chain.is_file():
        raise DemoError(
            f"{chain}: no such file", remedy="give a recorded chain, or none for a simulated market"
        )
    count = 2 * threshold + 1 if members is None else members
    if count <= 2 * threshold:
        raise DemoError(
            f"{count} members of whom {threshold} may be corrupt: fewer than half must be",
            remedy=f"give --members {2 * threshold + 1} or more",
        )
    market = f"simulated:{seed}" if chain is None else f"recorded:{chain.resolve()}"
    started = time.monotonic()
    folder = _new_folder(keep)
    try:
        with Stage(folder, secrets.token_urlsafe(16)) as stage:
            _Story(stage, NAMES[:count], threshold, market).tell(rounds, json=json)
    finally:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    where = f"; files in {escape(str(folder))}" if keep else ""
    stderr.print(f"[bold green]All checks hold[/] after {time.monotonic() - started:.1f} s{where}.")


class _Story:
    def __init__(self, stage: Stage, names: Sequence[str], threshold: int, market: str) -> None:
        self._stage = stage
        self._names = names
        self._threshold = threshold
        self._market = market
        self._file = stage.folder / "consortium.toml"
        self._coordinator = stage.folder / "coordinator"
        self._rpc_url = ""
        self._steps = 0
        self._last = 0
        self._committee: tuple[str, ...] = ()

    def tell(self, rounds: int, *, json: bool) -> None:
        self._identities()
        self._surroundings()
        self._ceremony()
        self._model_and_contract()
        self._start_parties()
        self._rounds(rounds, json=json)
        self._verify()
        self._audit()

    def _identities(self) -> None:
        self._say(f"Keys: `mpc-party init` for {', '.join(self._names)}")
        self._ports = free_ports(len(self._names))
        self._stage.together(
            [
                ("mpc_party", "init", name, "--mesh", f"127.0.0.1:{port}", "--home", self._home(name))
                for name, port in zip(self._names, self._ports, strict=True)
            ]
        )

    def _surroundings(self) -> None:
        self._say("Broker and consortium file: `mpc-coordinator broker`, `create`")
        self._stage.program("broker", "coordinator", "broker", "--port", 0, "--json")
        self._broker_url = self._stage.next_line("broker")["url"]
        cards = [
            argument
            for name in self._names
            for argument in ("--member", self._home(name) / f"{name}.member.toml")
        ]
        created = self._stage.command(
            "coordinator", "create", "--name", "demo-desks", "--broker", self._broker_url,
            "--threshold", self._threshold, *cards,
            "--out", self._file, "--home", self._coordinator,
        )  # fmt: skip
        # A recorded market has a clock of its own, which the chain follows from its first block.
        start = () if self._first_moment is None else ("--start-time", self._first_moment - HOUR)
        self._stage.program(
            "chain", "coordinator", "chain", "--port", 0, "--fund", created["account"], *start, "--json"
        )

    @property
    def _first_moment(self) -> int | None:
        from mpc_party.market import open_source  # noqa: PLC0415 - reads the whole recording

        kind, _, _ = self._market.partition(":")
        return open_source(self._market).next_time(0, 0) if kind == "recorded" else None

    def _ceremony(self) -> None:
        self._say("Group key: `mpc-party join`, then `keygen` at all members together; nobody holds the key")
        self._stage.together(
            [("mpc_party", "join", self._file, "--home", self._home(name)) for name in self._names]
        )
        made = self._stage.together(
            [("mpc_party", "keygen", "--home", self._home(name)) for name in self._names]
        )
        if len({each["address"] for each in made}) != 1:
            raise DemoError("members came out of key generation with different keys")
        shutil.copyfile(self._home(self._names[0]) / "consortium.toml", self._file)
        self._detail(f"group address {made[0]['address']}")

    def _model_and_contract(self) -> None:
        self._say(
            "Model and contracts: `mpc-models deal`, `mpc-coordinator deploy`; members `join` the completed file"
        )
        model, shares = self._stage.folder / "model.toml", self._stage.folder / "shares"
        model.write_text(MODEL)
        dealt = self._stage.command(
            "models", "deal", "--model", model, "--consortium", self._file, "--out", shares
        )
        model.unlink()  # the dealer forgets the weights
        self._rpc_url = self._stage.next_line("chain")["url"]
        deployed = self._stage.command(
            "coordinator",
            "deploy",
            "--consortium",
            self._file,
            "--rpc-url",
            self._rpc_url,
            "--home",
            self._coordinator,
        )
        for name, each in deployed["contracts"].items():
            self._detail(f"{name} {each['address']}, {each['gas']:,} gas")
        self._stage.together(
            [
                (
                    "mpc_party",
                    "join",
                    self._file,
                    "--model-share",
                    dealt["shares"][name],
                    "--home",
                    self._home(name),
                )
                for name in self._names
            ]
        )

    def _start_parties(self) -> None:
        self._say(
            f"Parties: `mpc-party run` for each, every desk with its own noisy, partial view of {self._market}"
        )
        for name in self._names:
            self._stage.program(
                name, "mpc_party", "run", "--home", self._home(name), "--market", self._market,
                "--desk-seed", secrets.token_hex(8), "--json",
            )  # fmt: skip

    def _rounds(self, count: int, *, json: bool) -> None:
        from coordinator.home import CoordinatorHome  # noqa: PLC0415 - SQLite and web3 are not needed before
        from coordinator.settlement import Settlement  # noqa: PLC0415
        from mpc_party.protocol.consortium_file import load_consortium  # noqa: PLC0415

        where = (
            "--market", self._market, "--consortium", self._file, "--rpc-url", self._rpc_url,
            "--home", self._coordinator,
        )  # fmt: skip
        consortium = load_consortium(self._file)
        settlement = Settlement(self._rpc_url, consortium, None)
        history = CoordinatorHome(self._coordinator).history_file

        def settled(summary: Mapping[str, Any]) -> None:
            self._check(summary, history, consortium, settlement)
            if json:
                print_json(summary)

        if count > 1:
            self._say(
                f"Rounds: `mpc-coordinator serve --count {count - 1}`; the contract keeps a digest of each"
            )
            self._stage.program(
                "coordinator", "coordinator", "serve", "--count", count - 1, "--every", 0, *where, "--json"
            )
            for _ in range(count - 1):
                summary = self._stage.next_line("coordinator", ROUND_SECONDS)
                if summary["state"] != "settled":
                    raise DemoError(
                        f"a round ended as {summary['state']}: {self._stage.last_line('coordinator')}"
                    )
                settled(summary)
            self._stage.ended("coordinator")
        self._say("The last one: `mpc-coordinator round --publish stored`; the contract keeps its words, too")
        settled(self._stage.command("coordinator", "round", "--publish", "stored", "--gather", 60, *where))
        self._final(consortium, settlement)

    def _final(self, consortium: Consortium, settlement: "Settlement") -> None:
        self._say("The challenge window passes, and the last report is final: `mpc-coordinator contracts`")
        accepted = settlement.read_back().accepted_at
        found = self._stage.command(
            "coordinator", "contracts", "--consortium", self._file, "--rpc-url", self._rpc_url
        )
        settlement.follow_clock(accepted + found["window"])
        file = load_report_file(self._report(self._last))
        read, number = check_final(file, settlement, self._rpc_url)
        found = self._stage.command(
            "coordinator", "contracts", "--consortium", self._file, "--rpc-url", self._rpc_url
        )
        if not found["live"] or found["final_round"] != self._last:
            raise DemoError(f"the contracts of {consortium.name} are not live with round {self._last} final")
        self._detail(
            f"{len(found['contracts'])} contracts with this release's code; {found['final_sequence']} reports final; "
            f"{read} instruments of stored report {number} read as they were opened"
        )

    def _check(
        self, summary: Mapping[str, Any], history: Path, consortium: Consortium, settlement: "Settlement"
    ) -> None:
        from coordinator.exporting import export_report  # noqa: PLC0415
        from coordinator.history import History  # noqa: PLC0415
        from coordinator.showing import show_report  # noqa: PLC0415

        number = summary["round"]
        out = self._report(number)
        with History(history, read_only=True) as opened:
            row = opened.get(number)
        if row is None:
            raise DemoError(f"round {number} is not in the history")
        export_report(row, out)
        file = load_report_file(out)
        decoded = check_report(file, consortium, summary["max_delta_error"])
        stored = check_contract(file, settlement, summary["block"])
        approved = check_journals(file, [self._home(name) / "journal.sqlite" for name in self._names])
        self._show(summary)
        show_report(decoded)
        self._detail(f"signature {file.signature}")
        kept = "its digest" if stored.stored is None else "its digest and words"
        self._detail(
            f"contract keeps of round {stored.round} {kept}, 0x{stored.digest.hex()}: {len(decoded)} words equal the opened "
            f"ones bit for bit; {approved} journals hold the same digest"
        )
        self._last = number
        self._committee = tuple(summary["committee"])

    def _verify(self) -> None:
        self._say("The last report, offline: `mpc-coordinator verify`")
        verified = self._stage.command(
            "coordinator", "verify", self._report(self._last), "--consortium", self._file
        )
        self._detail(f"valid: round {verified['round']}, signed by {verified['signer']}")

    def _audit(self) -> None:
        self._say(
            "An audit of it: `mpc-coordinator auditor`, `mpc-party disclose` at each member of its committee, "
            "`mpc-coordinator audit`"
        )
        key = self._stage.folder / "auditor.key"
        recipient = self._stage.command("coordinator", "auditor", "--out", key)["recipient"]
        files = {name: self._stage.folder / f"{name}.disclosure.age" for name in self._committee}
        self._stage.together(
            [
                (
                    "mpc_party", "disclose", "--round", self._last, "--auditor", recipient, "--out", file,
                    "--home", self._home(name),
                )
                for name, file in files.items()
            ]
        )  # fmt: skip
        disclosed = [argument for file in files.values() for argument in ("--disclosure", file)]
        found = self._stage.command(
            "coordinator",
            "audit",
            self._report(self._last),
            "--key",
            key,
            "--consortium",
            self._file,
            *disclosed,
        )
        if found["verdict"] != FOLLOWS:
            raise DemoError(f"round {self._last} does not follow from what its committee disclosed")
        self._detail(
            f"round {self._last} follows from the committed inputs and the dealt weights: {found['instruments']} instruments"
        )

    def _report(self, number: int) -> Path:
        return self._stage.folder / f"report-{number}.json"

    def _show(self, summary: Mapping[str, Any]) -> None:
        times = ", ".join(f"{phase} {value:.0f}" for phase, value in summary["ms"].items())
        self._detail(
            f"round {summary['round']}: {summary['instruments']} instruments by {', '.join(summary['committee'])}; ms: {times}"
        )
        self._detail(
            f"mesh {summary['mesh_bytes']:,} bytes a party in {summary['mesh_rounds']} rounds; {summary['gas']:,} gas;"
            f" largest delta error {summary['max_delta_error']:.1e}"
        )

    def _home(self, name: str) -> Path:
        return self._stage.folder / name

    def _say(self, text: str) -> None:
        self._steps += 1
        stderr.print(f"[bold cyan]{self._steps}.[/] {escape(text)}")

    def _detail(self, text: str) -> None:
        stderr.print(f"   {text}", markup=False)


def _new_folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="mpc-demo-"))
    try:
        keep.mkdir(parents=True)
    except FileExistsError:
        raise DemoError(f"{keep} exists", remedy="give --keep the name of a new folder") from None
    return keep.resolve()
