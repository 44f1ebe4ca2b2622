"""A requests session on an engine, for those who want requests themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dockerlab.transport.plaintext_guard import refuse
from dockerlab.transport.pools import pool

if TYPE_CHECKING:
    import requests

    from dockerlab.endpoint.endpoint import Endpoint

__all__ = ["session"]


def session(endpoint: Endpoint, timeout: float) -> requests.Session:
    """Make a requests session for an engine: one pool, no proxies or settings from the environment.

    It reaches this engine and nothing else, also where an answer sends its caller elsewhere.
    """
    import requests  # noqa: PLC0415  (only those who want requests pay for it)
    from requests.adapters import HTTPAdapter  # noqa: PLC0415

    class OnePool(HTTPAdapter):
        """requests keeps pools by URL, and has no timeout of its own; this one has the engine's."""

        def get_connection(self, url: Any, proxies: Any = None) -> Any:
            return one

        def get_connection_with_tls_context(
            self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
        ) -> Any:
            return one

        def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
            """Leave TLS as it is: requests would add the public authorities to the engine's own."""

        def request_url(self, request: Any, proxies: Any) -> str:
            return str(request.path_url)

        def send(self, request: Any, *arguments: Any, **options: Any) -> Any:
            refuse(endpoint, str(request.method), request.path_url, request.headers)
            options["timeout"] = options.get("timeout") or timeout
            return super().send(request, *arguments, **options)

        def close(self) -> None:
            one.close()
            super().close()

    one = pool(endpoint)
    made = requests.Session()
    made.trust_env = False
    made.adapters.clear()
    made.mount(f"{endpoint.http.lower()}/", OnePool())
    return made
