"""`python -m coordinator` is `mpc-coordinator`."""

from coordinator.cli import main

main()
