"""Old shares, written over."""

from __future__ import annotations

import os

from mpc_party.member.erasing import erase, erase_hidden


def test_erasing_writes_over_the_blocks_and_then_unlinks(tmp_path):
    file = tmp_path / "share"
    file.write_bytes(b"secret" * 100)
    kept = tmp_path / "same-blocks"
    os.link(file, kept)
    erase(file)
    assert not file.exists()
    assert kept.stat().st_size == 600
    assert b"secret" not in kept.read_bytes()


def test_a_link_goes_with_what_it_leads_to_or_nowhere(tmp_path):
    (tmp_path / "there").write_bytes(b"secret")
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "nowhere").symlink_to("gone")
    erase(tmp_path / "link")
    erase(tmp_path / "nowhere")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert (tmp_path / "there").read_bytes() != b"secret"


def test_what_is_hidden_and_no_share_stays(tmp_path):
    for name in (".party.toml.swp", "key-share.keystore", ".key-share.keystore.x.new"):
        (tmp_path / name).write_bytes(b"x")
    erase_hidden(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".party.toml.swp", "key-share.keystore"]
