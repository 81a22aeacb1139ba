"""`mpc-coordinator demo`: a whole consortium on one machine, through the same commands that a real one uses.

`stage` starts and ends processes, `story` tells the steps, `checks` says whether what came out is right.
"""

from coordinator.demo.story import run

__all__ = ["run"]
