"""How python-tuf reaches a repository: HTTP by the standard library, each connection closed when it is done with.

Imported only by an update that runs. Signatures, not the way that bytes came, are what makes them trusted; proxies are those of
the environment, except in mode ``locked``.
"""

import http.client
import time
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient import FetcherInterface

if TYPE_CHECKING:
    from collections.abc import Iterator

_TIMEOUT = 30.0
"""Seconds for a connection, and for each piece of an answer."""
_PIECE = 1 << 16
PATIENCE = 60.0
"""Seconds after which an answer must have come at ``_RATE`` bytes a second: else a server could hold an update for ever."""
_RATE = 1000


class Fetcher(FetcherInterface):
    """Fetches over HTTP and HTTPS alone, wherever a redirection leads."""

    def __init__(self, agent: str, *, proxies: bool) -> None:
        self._agent = agent
        self._opener = OpenerDirector()
        for handler in (
            ProxyHandler() if proxies else ProxyHandler({}),
            HTTPHandler(),
            HTTPSHandler(),
            HTTPRedirectHandler(),
            HTTPErrorProcessor(),
            HTTPDefaultErrorHandler(),
            UnknownHandler(),
        ):
            self._opener.add_handler(handler)

    def _fetch(self, url: str) -> "Iterator[bytes]":
        """The content of a URL. Raises DownloadError."""
        try:
            with self._opener.open(Request(url, headers={"User-Agent": self._agent}), timeout=_TIMEOUT) as response:  # noqa: S310 - http alone
                begun, received = time.monotonic(), 0
                while piece := response.read1(_PIECE):
                    yield piece
                    received += len(piece)
                    took = time.monotonic() - begun
                    if took > PATIENCE and received < took * _RATE:
                        raise SlowRetrievalError(f"{url}: {received} bytes in {took:.0f} s")
        except HTTPError as error:
            error.close()
            raise DownloadHTTPError(f"{url}: HTTP status {error.code}", error.code) from error
        except TimeoutError as error:
            raise SlowRetrievalError(url) from error
        except (URLError, OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
            raise DownloadError(f"{url}: {reason}") from error
