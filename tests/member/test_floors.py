import pytest

from mpc_party.journal import Floor, Journal, read_standing
from mpc_party.member.floors import close_rounds
from mpc_party.protocol.errors import ConsortiumError, Reason


def test_a_new_key_counts_on_from_where_the_chain_is(world):
    home, consortium = world.home("bob"), world.consortium
    close_rounds(home, consortium, 1_500_000, "key generation")
    standing = read_standing(home.journal_file)
    assert (standing.epoch, standing.last_round) == (1, 1_500_000)
    assert standing.floor == Floor(1_500_000, "key generation")
    close_rounds(home, consortium, 1_600_000, "again")
    close_rounds(home, consortium, 5, "never lowered")
    with Journal.open(home.journal_file, consortium=consortium.id_bytes, epoch=1) as journal:
        journal.require_ready()
        assert journal.last_round() == 1_600_000
        journal.promise_round(1_600_001, b"p" * 32)


def test_not_while_the_party_runs_or_in_an_epoch_that_is_over(world):
    home, consortium = world.home("bob"), world.consortium
    with Journal.open(home.journal_file, consortium=consortium.id_bytes, epoch=1) as journal:
        with pytest.raises(ConsortiumError) as caught:
            close_rounds(home, consortium, 9, "")
        assert caught.value.reason is Reason.ALREADY_RUNNING
        journal.attest_handover(b"c" * 32, b"p" * 32, 2)
        journal.commit_handover(b"c" * 32, floor=3)
    with pytest.raises(ConsortiumError) as caught:
        close_rounds(home, consortium, 9, "")
    assert caught.value.reason is Reason.CONSORTIUM_MISMATCH
