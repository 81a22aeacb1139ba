"""`python -m mpc_party` is `mpc-party`."""

from mpc_party.cli import main

main()
