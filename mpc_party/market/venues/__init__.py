"""Trading venues on the wire: what they send, as typed events, and how a connection to one is kept."""
