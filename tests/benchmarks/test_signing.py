"""The benchmark of signing still runs, ours and MPyC's, and shows every phase."""

import pytest

from tests.benchmarks.bench_signing import PHASES, in_threads, mpyc, show
from tests.support.signing_process import run_processes

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_every_phase_is_measured_in_processes_of_its_own_and_beside_mpyc(capsys):
    ours, theirs = run_processes(3, 1, 2, apart=True), mpyc(3, 1, 2)
    assert [set(times) for times in ours] == [set(PHASES)] * 3
    assert [set(times) for times in theirs] == [set(PHASES) - {"approval"}] * 3
    assert all(len(pairs) == 2 for times in (*ours, *theirs) for pairs in times.values())
    show("three", ours, theirs, 3)
    assert capsys.readouterr().out.count("\n") == 2 + len(PHASES)


def test_threads_measure_all_but_the_mesh():
    (times,) = in_threads(3, 1, 2)
    assert set(times) == set(PHASES) - {"bare exchange"}
