"""`mpc-models`: what a model's owner does."""

from pathlib import Path
from typing import Annotated

import typer

from mpc_party.console import configure_logging, print_json, run, tell, working

app = typer.Typer(
    help="Hedging models: deal a model's weights into shares that no single member can read.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def models() -> None:
    """Hedging models: deal a model's weights into shares that no single member can read.

    Exit status: 0 done; 1 refused; 2 wrong command line or file; 130 interrupted.
    """
    configure_logging("warning")


@app.command()
def deal(
    model: Annotated[Path, typer.Option(help="The model file: kind, and the weights a, b, c. Secret.")],
    consortium: Annotated[Path, typer.Option(help="The consortium file; it gets the public commitment.")],
    out: Annotated[Path, typer.Option(help="Folder for the share files, one per member.")],
    *,
    replace: Annotated[bool, typer.Option(help="Replace a model that the file already names.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Split a model into one encrypted share file per member, and commit to it in the consortium file.

    Send each member its own file (`NAME.model-share.age`; only that member's key opens it) and all of them the
    consortium file. They take both with `mpc-party join`. A share is useless alone, and a corrupted one is refused.
    """
    from models.deal import deal_model, load_model, share_file
    from mpc_party.protocol.consortium_file import load_consortium, save_consortium
    from mpc_party.protocol.errors import ConfigError

    current = load_consortium(consortium)
    if current.model is not None and not replace:
        raise ConfigError(
            f"consortium file {consortium}: names a model already",
            remedy="give --replace to deal another one",
        )
    with working("Dealing the model into shares ..."):
        dealt = deal_model(current, load_model(model), out)
        save_consortium(consortium, dealt)
    files = {name: str(share_file(out, name)) for name in dealt.names}
    if json:
        print_json({"commitment": dealt.model, "consortium": str(consortium), "shares": files})
        return
    tell(f"Model commitment {dealt.model}, now in {consortium}")
    for name, path in files.items():
        tell(f"  for {name}: {path}")


def main() -> None:
    """Entry point of `mpc-models`."""
    run(app, "mpc-models")


if __name__ == "__main__":
    main()
