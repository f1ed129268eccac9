"""Pages of the endpoint's lists: a token names the place where the next page begins, sealed, for that list alone."""

from __future__ import annotations

from trusted_devices.cognito_idp import errors
from trusted_devices.cognito_idp.sealed import record
from trusted_devices.crypto.sealing import Unsealable
from trusted_devices.keyset import Order, Page, Place, Row

OLDEST_FIRST = Order()
NEWEST_FIRST = Order(descending=True)
_PLACE = record("place in a list")


def place_in(name: str, token: str | None) -> Place | None:
    """Return where the page begins that ``token`` of the list called ``name`` asks for, ``None`` for the first page.

    Raises ``WireError`` for the token of another list.
    """
    if token is None:
        return None
    try:
        place = _PLACE.open(token)
    except Unsealable:
        place = {}
    if place.get("list") != name:
        raise errors.invalid_parameter("The token is not of this list.")
    return Place(place["pk"], place["pk"])


def next_token(name: str, member: str, page: Page[Row]) -> dict[str, str]:
    """Return the token of the page after ``page`` as the ``member`` of an answer; nothing after the last one."""
    return {member: _PLACE.seal({"list": name, "pk": page.rows[-1].pk})} if page.has_next else {}
