"""A consortium's feed as whoever relies on it reads it: `reader` is the library, `reading` what the command shows."""
