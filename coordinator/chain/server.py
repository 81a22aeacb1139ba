"""HTTP in front of the chain, on loopback only.

A web page in the operator's browser can send requests to loopback too. So the server takes `application/json` only,
which a page may not send across origins unasked, and answers only to loopback's own names, which stops DNS rebinding.
"""

import asyncio
import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from coordinator.chain.rpc import JsonRpc
from mpc_party.protocol.errors import ConfigError, ConsortiumError, Reason

HOST = "127.0.0.1"
MAX_BODY = 4 * 1024 * 1024
START_SECONDS = 20.0
STOP_SECONDS = 5


class ChainServer:
    """The endpoint, on `http://127.0.0.1:port` (port 0: any free one, see `url`).

    The port is taken when the object is made, so that "in use" is one clear line before anything runs. Run it in the
    foreground with `run()`, or as a context manager in a thread of its own.

    Raises:
        ConfigError: the port is in use.
    """

    def __init__(self, rpc: JsonRpc, port: int) -> None:
        self._rpc = rpc
        # With the protocol named, asyncio sets TCP_NODELAY; without, every answer waits 40 ms for an acknowledgement.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((HOST, port))
            self._socket.listen()  # whoever is told of the URL may call at once, and waits until it runs
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise ConfigError(
                f"cannot listen on {HOST}:{port}: {error}", remedy="choose another with --port"
            ) from None
        self.port: int = self._socket.getsockname()[1]
        self._turn = asyncio.Lock()
        application = Starlette(
            routes=[Route("/", self._answer, methods=["POST"])],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
        )
        self._server = uvicorn.Server(
            uvicorn.Config(
                application,
                log_level="warning",
                access_log=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"http://{HOST}:{self.port}"

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.run, name="chain", daemon=True)
        self._thread.start()
        # Told to stop before it has started, uvicorn would not hear it.
        pause = threading.Event()
        for _ in range(int(START_SECONDS / 0.01)):
            if self._server.started:
                return self
            if not self._thread.is_alive():
                break
            pause.wait(0.01)
        raise ConsortiumError("the chain's endpoint did not start", reason=Reason.CHAIN_UNREACHABLE)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(START_SECONDS)

    async def _answer(self, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return PlainTextResponse("send application/json\n", 415)
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MAX_BODY:
                return PlainTextResponse(f"a request is at most {MAX_BODY} bytes\n", 413)
        async with self._turn:
            answer = await asyncio.to_thread(self._rpc.answer, bytes(body))
        if not answer:
            return Response(status_code=204)
        return Response(answer, media_type="application/json")
