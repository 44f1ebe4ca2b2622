"""A requests session to an engine, for those who want to use requests themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter

from dockerlab.transport.plaintext_guard import refuse_credentials
from dockerlab.transport.pools import pool

if TYPE_CHECKING:
    from dockerlab.endpoint.endpoint import Endpoint

__all__ = ["session"]


def session(endpoint: Endpoint, timeout: float) -> requests.Session:
    """Return a requests session for one engine, without proxies or settings from the environment.

    It reaches this engine and nothing else, even if a response redirects to another host.
    """
    session = requests.Session()
    session.trust_env = False
    session.adapters.clear()
    session.mount(f"{endpoint.http.lower()}/", _EngineAdapter(endpoint, timeout))
    return session


class _EngineAdapter(HTTPAdapter):
    """Sends every request to one engine. requests itself would keep a pool per URL, and has no default timeout."""

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        self._endpoint = endpoint
        self._timeout = timeout
        self._pool = pool(endpoint)
        super().__init__()

    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        return self._pool

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        return self._pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave TLS as it is: requests would add the public authorities to the engine's own."""

    def request_url(self, request: Any, proxies: Any) -> str:
        return str(request.path_url)

    def send(self, request: Any, *arguments: Any, **options: Any) -> Any:
        refuse_credentials(self._endpoint, str(request.method), request.path_url, request.headers)
        options["timeout"] = options.get("timeout") or self._timeout
        return super().send(request, *arguments, **options)

    def close(self) -> None:
        self._pool.close()
        super().close()
