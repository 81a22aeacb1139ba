"""A bounded HTTP GET, for the pages that venues keep beside their WebSocket (a book's snapshot)."""

import http.client
import time
import urllib.error
import urllib.request
from typing import IO
from urllib.parse import urlsplit

FETCH_TIMEOUT = 5.0  # seconds without progress
FETCH_DEADLINE = 15.0  # seconds for the whole body
_CHUNK = 1 << 16


class SameSchemeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects that keep the scheme: not from https to http, where anybody on the way could make prices."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """The request to go on with.

        Raises:
            HTTPError: the scheme is another one.
        """
        if urlsplit(newurl).scheme != req.type:
            raise urllib.error.HTTPError(req.full_url, code, "redirected to another scheme", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(url: str, limit: int) -> bytes | None:
    """The body of a page of at most `limit` bytes; None on any failure. Blocks; https or http only, redirects too."""
    if not url.startswith(("https://", "http://")):
        return None
    body = bytearray()
    try:
        opener = urllib.request.build_opener(SameSchemeRedirects)
        with opener.open(url, timeout=FETCH_TIMEOUT) as response:
            deadline = time.monotonic() + FETCH_DEADLINE
            while chunk := response.read1(min(_CHUNK, limit + 1 - len(body))):
                body += chunk
                if len(body) > limit or time.monotonic() > deadline:
                    return None
    except (OSError, ValueError, http.client.HTTPException, urllib.error.URLError):
        return None
    return bytes(body)
