"""What a page shows of an authenticator that is being set up: its key as a link, as groups to type, as a QR code."""

from __future__ import annotations

from textwrap import wrap
from typing import Any
from urllib.parse import quote, urlencode

from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.debug import sensitive_variables


@sensitive_variables()
def shown(*, key: str, uri: str) -> dict[str, Any]:
    """Return the context of ``trusted_devices/authenticator.html``; without a picture where nothing can draw it."""
    return {"uri": uri, "qr": _qr(uri), "key_groups": wrap(key, 4)}


@sensitive_variables()
def key_uri(*, key: str, account: str, issuer: str) -> str:
    """Return the address that authenticator apps read ``key`` (base32) from: the de facto "Key Uri Format"."""
    query = urlencode({"secret": key, "issuer": issuer}, quote_via=quote)
    return f"otpauth://totp/{quote(issuer, safe='')}:{quote(account, safe='')}?{query}"


@sensitive_variables()
def _qr(uri: str) -> SafeString | str:
    try:
        import segno
    except ImportError:
        return ""
    try:
        svg: str = segno.make(uri, error="m").svg_inline(scale=4, border=2, omitsize=True)
    except segno.DataOverflowError:
        return ""
    return mark_safe(svg)  # noqa: S308 - markup from the QR library; the address is inside as squares only
