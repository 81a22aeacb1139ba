"""Three parties of which one may pry (t = 1): position 0 deals correlated randomness ahead, 1 and 2 talk to each other.

A sharing is x = x_0 + x_1 + x_2, where position i holds x_i and x_{i+1}. Position 0 knows a = x_0 + x_1, which no
message to it has touched, and the two others know b = x_2 = x - a. So 0 can form every product of masks by
itself and share it between 1 and 2, in advance and without waiting for anybody; what 1 and 2 still have to say to each
other is one message each, per product and even per gate of many inputs. Products and their truncation take one round
where a ring of messages takes two, and the sign of a word three instead of eight.

Sources: the sharing with masks known to one party is that of Chaudhari, Choudhury, Patra, Suresh, "ASTRA", CCSW 2019,
and of Harth-Kitzerow, Suresh, Wang, Yalame, Carle, Annavaram, "High-throughput secure multiparty computation with an
honest majority in various network settings", PoPETs 2025 (Trio); written as a replicated sharing, it is that of Araki,
Furukawa, Lindell, Nof, Ohara, CCS 2016, and every position's knowledge is the same as there: two of three components.

`products` closes products and truncates, `gates` are conjunctions of many bits, `carry` finds signs with them, and
`selection` goes from bits back to words. The module's functions are those of `scheme.Scheme`, and `rerandomize`.
"""

from mpc_party.secure.three.carry import and_planes, public_plane, sign_plane, zero_plane
from mpc_party.secure.three.products import (
    open_product,
    open_words,
    open_words_to,
    rerandomize,
    reshare,
    share_words,
    truncate,
)
from mpc_party.secure.three.selection import lift, random_fractions, select

__all__ = [
    "and_planes",
    "lift",
    "open_product",
    "open_words",
    "open_words_to",
    "public_plane",
    "random_fractions",
    "rerandomize",
    "reshare",
    "select",
    "share_words",
    "sign_plane",
    "truncate",
    "zero_plane",
]
