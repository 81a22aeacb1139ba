"""What the desks compute together, from private quotes to the opened table of a report.

`program.compute` is the whole joint computation; `PublicInputs` is what all parties know beforehand, `Snapshot` what
one party puts in, `Opened` what comes out; `check_range` and `report_columns` turn it into a report's fields. All that is
opened stands in `opening`. `replay` is the same computation in the clear; `drift` judges the hedges from reports alone.
Imports torch through `mpc_party.secure`; the public parts (`public`, `outputs`, `snapshot`, `model`) do not.
"""
