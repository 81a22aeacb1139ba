"""Five or seven parties of which two or three may pry: replicated shares over all sets of t parties.

`sharing` brings words and bits in and out, `closing` turns summands of products into shares, and all parties do the same in
all of it. What takes more than a product uses up randomness that was made before the round and that no t parties know: masks
for truncation (`pairs`) and comparison (`masks`), gates of four inputs (`gates`), bits that are numbers too (`random_bits`).
`pool` keeps it; `prepare` makes it, and `rehearse` says how much. What that costs stands there. Then, per element and party, in rounds and bytes sent:

                               rounds  five    seven
    private input, opening     1       16      24      an input from its owner only
    product                    1       16      24
    product and truncation     1       32      48
    ... opened to all          1       48      72      32 and 48 without truncation
    truncation                 1       16      24
    sign of 64 bits            3       24.5    36.75   2 rounds for up to 17 bits
    zero of 64 bits            3       21      31.5
    bit as a number            1       0.25    0.375
    selection by a bit         1       16.25   24.375
    comparison                 4       24.75   37.125
    ReLU                       4       40.75   61.125

The module's functions are those of `scheme.Scheme`, and `prepare`, `used` and `rehearse` besides.
"""

from mpc_party.secure.general.carry import and_planes, public_plane, sign_plane, zero_plane
from mpc_party.secure.general.pool import Item, Kind, prepare, used
from mpc_party.secure.general.products import open_product, reshare, truncate
from mpc_party.secure.general.rehearsal import rehearse
from mpc_party.secure.general.selection import lift, random_fractions, select
from mpc_party.secure.general.sharing import open_words, open_words_to, share_words

__all__ = [
    "Item",
    "Kind",
    "and_planes",
    "lift",
    "open_product",
    "open_words",
    "open_words_to",
    "prepare",
    "public_plane",
    "random_fractions",
    "rehearse",
    "reshare",
    "select",
    "share_words",
    "sign_plane",
    "truncate",
    "used",
    "zero_plane",
]
