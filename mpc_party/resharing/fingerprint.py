"""A transcript's fingerprint: what members read to each other after a ceremony, over the telephone or at one table.

100 bits of the transcript's hash, as 20 letters and digits of base32 (RFC 4648: no 0, 1, 8 or 9, so nothing to mistake for
O, I or B) in groups of four: `K3QX-7TNB-2ZRA-MWEF-5DLC`.

Why so many. Programs compare whole hashes; people compare against what programs cannot know, that somebody handed two members
two different consortium files, and sits between them as the other to both. Such a one runs two ceremonies and needs two
transcripts of equal fingerprints, a collision: with b bits, about 2^(b/2) tries on each side. It cannot try beforehand, since
each transcript has fresh random bytes of the honest member in it, but only in the seconds between having heard these and having
to answer, and each try costs it at least a signature of its own. With 80 bits that is 2^40 tries, hours for one machine and
seconds for a rack of them; with 100 bits it is 2^50, a thousand times as many. Against who must hit one given fingerprint,
100 bits are far more than anybody can do.
"""

import base64
from typing import Final

LETTERS: Final = 20
_GROUP: Final = 4


def fingerprint(digest: bytes) -> str:
    """The fingerprint of a hash of 32 bytes."""
    letters = base64.b32encode(digest[:15]).decode("ascii")[:LETTERS]
    return "-".join(letters[at : at + _GROUP] for at in range(0, LETTERS, _GROUP))


__all__ = ["LETTERS", "fingerprint"]
