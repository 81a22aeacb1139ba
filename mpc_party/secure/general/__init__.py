"""Five or seven parties of which two or three may pry: replicated shares over all sets of t parties.

`sharing` brings words and bits in and out, `closing` turns summands of products into shares, and all parties do the same in
all of it. What takes more than a product uses up randomness that was made before the round and that no t parties know: masks
for truncation (`pairs`) and comparison (`masks`), gates of four inputs (`gates`), bits that are numbers too (`random_bits`).
`pool` keeps it; `prepare` makes it. So each product and truncation takes one round, the sign of a word three, and a ReLU four.

The module's functions are those of `scheme.Scheme`, and `prepare` and `used` besides.
"""

from mpc_party.secure.general.carry import and_planes, public_plane, sign_plane, zero_plane
from mpc_party.secure.general.pool import Item, Kind, prepare, used
from mpc_party.secure.general.products import reshare, truncate
from mpc_party.secure.general.selection import lift, random_fractions, select
from mpc_party.secure.general.sharing import open_words, open_words_to, share_words

__all__ = [
    "Item",
    "Kind",
    "and_planes",
    "lift",
    "open_words",
    "open_words_to",
    "prepare",
    "public_plane",
    "random_fractions",
    "reshare",
    "select",
    "share_words",
    "sign_plane",
    "truncate",
    "used",
    "zero_plane",
]
