"""`python -m models` is `mpc-models`."""

from models.cli import main

main()
