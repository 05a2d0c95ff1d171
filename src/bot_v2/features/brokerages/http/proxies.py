"""Proxies, as the environment names them: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote
from urllib.request import getproxies_environment, proxy_bypass

import attrs
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, make_headers, parse_url

from bot_v2.features.brokerages.core.errors import InvalidFieldError
from bot_v2.features.brokerages.core.secret import Secret

PROXY_SCHEMES: Final = ("http", "https")
"""How a proxy may be talked to. SOCKS is not among them."""


@attrs.frozen(kw_only=True)
class Proxy:
    """A proxy to go through."""

    address: Url
    """Where it is; without user and password."""
    authorization: Secret | None
    """The value of Proxy-Authorization. None: it asks for none."""

    @property
    def headers(self) -> dict[str, str]:
        """What the proxy is told beside the request."""
        if self.authorization is None:
            return {}
        return {"Proxy-Authorization": self.authorization.reveal()}


def proxy_for(scheme: str, host: str, port: int) -> Proxy | None:
    """Return the proxy that the environment names for an origin, now. None: none.

    Raises:
        InvalidFieldError: it names one that cannot be used; never shows its password.
    """
    proxies = getproxies_environment()
    address = proxies.get(scheme) or proxies.get("all")
    # Where the environment names a proxy, it also says where to do without.
    if not address or proxy_bypass(f"{host}:{port}"):
        return None
    return _proxy_at(address, scheme)


def _proxy_at(address: str, scheme: str) -> Proxy:
    named = f"{scheme.upper()}_PROXY"
    try:
        url = parse_url(address if "://" in address else f"http://{address}")
    except LocationParseError:
        raise InvalidFieldError(named, Secret(address), "the URL of a proxy") from None
    if url.scheme not in PROXY_SCHEMES or not url.host:
        accepted = " or ".join(f"{one}://HOST:PORT" for one in PROXY_SCHEMES)
        raise InvalidFieldError(named, f"{url.scheme}://{url.host or ''}", accepted)
    authorization = None
    if url.auth:
        made = make_headers(proxy_basic_auth=unquote(url.auth))
        authorization = Secret(made["proxy-authorization"])
    return Proxy(address=url._replace(auth=None), authorization=authorization)
