"""Who is at the other end of a call: the connection, or the person for whom a server makes it.

Servers sign their calls, or prove the secret of their app client. What they say of a person's address is logged, and
protection against guessing counts by it. It never counts by the server's own, which everybody behind it shares.
"""

from __future__ import annotations

import dataclasses
from ipaddress import IPv6Address, ip_address
from typing import Any

from trusted_devices.cognito_idp import conf
from trusted_devices.cognito_idp.models import UserPoolClient
from trusted_devices.cognito_idp.registry import Call
from trusted_devices.cognito_idp.sealed import keyed_digest
from trusted_devices.types import ClientInfo
from trusted_devices.web import throttling

_NOBODYS = IPv6Address("100::")
"""The first of 2**64 addresses that nobody has (RFC 6666)."""


def client_info(call: Call, app_client: UserPoolClient, *, username: str = "") -> ClientInfo:
    """Return who is at the other end, where ``username``, if any, signs in.

    Where a server does not say from where, the address that guessing is counted by is one that stands for the name.
    """
    info = call.client_info
    if call.key is not None:
        address, user_agent = _stated_in_context(call)
    elif app_client.has_secret:
        stated = call.params.get("UserContextData", {}).get("IpAddress", "")
        address, user_agent = _address(stated) if app_client.propagate_context else "", ""
    else:
        return info
    return dataclasses.replace(
        info,
        ip_address=address or info.ip_address,
        user_agent=user_agent or info.user_agent,
        request=throttling.on_behalf_of(
            call.request, address=address or _stand_in(info, username), user_agent=user_agent
        ),
    )


def _stated_in_context(call: Call) -> tuple[str, str]:
    """Return the address and user agent that a signed call names, ``""`` for what it does not."""
    context: dict[str, Any] = call.params.get("ContextData", {})
    agents = [
        header.get("headerValue", "")
        for header in context.get("HttpHeaders", [])
        if header.get("headerName", "").lower() == "user-agent"
    ]
    address = _address(context.get("IpAddress", ""))
    if not address and conf.get_options().FORWARDED_FOR:
        address = _address(call.request.headers.get("X-Forwarded-For", "").partition(",")[0].strip())
    return address, agents[0] if agents else ""


def _address(text: str) -> str:
    """Return ``text`` if it is a network address."""
    try:
        return str(ip_address(text.partition("%")[0]))
    except ValueError:
        return ""


def _stand_in(info: ClientInfo, username: str) -> str:
    seen = keyed_digest("stand-in", f"{info.ip_address}\0{username.casefold()}")
    return str(_NOBODYS + int.from_bytes(seen[:8], "big"))
