"""The Merkle root against the reference vectors of Certificate Transparency (RFC 6962's tree)."""

import hashlib

import pytest

from mpc_party.protocol.errors import ReportError
from mpc_party.protocol.merkle import merkle_root, tree_root

# Inputs and roots of certificate-transparency's merkle tests, also used by Trillian.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(1, 9))
def test_reference_roots(size):
    assert tree_root(LEAVES[:size]).hex() == ROOTS[size - 1]


def test_three_commitments_written_out():
    a, b, c = (bytes([index]) * 32 for index in (1, 2, 3))

    def leaf(value):
        return hashlib.sha256(b"\0" + value).digest()

    left = hashlib.sha256(b"\1" + leaf(a) + leaf(b)).digest()
    assert merkle_root([a, b, c]) == hashlib.sha256(b"\1" + left + leaf(c)).digest()
    assert merkle_root([a]) == leaf(a)


def test_order_and_number_matter():
    a, b = bytes(32), bytes([1]) * 32
    assert len({merkle_root(leaves) for leaves in ([a], [b], [a, b], [b, a], [a, b, b], [a, b, a])}) == 6


def test_refusals():
    with pytest.raises(ReportError, match="without leaves"):
        merkle_root([])
    with pytest.raises(ReportError, match="leaf 1 has 31 bytes"):
        merkle_root([bytes(32), bytes(31)])
