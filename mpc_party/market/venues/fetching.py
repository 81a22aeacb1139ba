"""A bounded HTTP GET, for the pages that venues keep beside their WebSocket (a book's snapshot)."""

import http.client
import urllib.error
import urllib.request

FETCH_TIMEOUT = 5.0  # seconds without progress


def fetch(url: str, limit: int) -> bytes | None:
    """The body of a page of at most `limit` bytes; None on any failure. Blocks; https or http only."""
    if not url.startswith(("https://", "http://")):
        return None
    try:
        with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT) as response:  # noqa: S310 - scheme checked above
            body: bytes = response.read(limit + 1)
    except (OSError, ValueError, http.client.HTTPException, urllib.error.URLError):
        return None
    return body if len(body) <= limit else None
