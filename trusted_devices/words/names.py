"""Names of devices: refused in part when a user types them, and shown as far as possible when a client gives them."""

from __future__ import annotations

import unicodedata

from trusted_devices.exceptions import InvalidDeviceName

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""Unicode categories of what cannot be shown, such as controls and the marks that turn the direction of text around."""
_JOINERS = "\u200c\u200d"
"""Of category Cf, but some scripts and emoji need them."""


def clean(name: str, *, longest: int) -> str:
    """Return ``name`` in the form in which it is stored, at most ``longest`` characters.

    Raises ``InvalidDeviceName``, also for a name that is empty.
    """
    if len(name) > 4 * longest:
        raise InvalidDeviceName("The name is too long.")
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not name.strip(_JOINERS):
        raise InvalidDeviceName("The name is empty.")
    if len(name) > longest:
        raise InvalidDeviceName("The name is too long.")
    if any(map(_is_hidden, name)):
        raise InvalidDeviceName("The name has characters that cannot be shown.")
    return name


def shown(name: str, *, longest: int) -> str:
    """Return what of ``name`` can be shown, at most ``longest`` characters; it may be nothing."""
    visible = (" " if _is_hidden(character) else character for character in name)
    return " ".join("".join(visible).split())[:longest]


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN and character not in _JOINERS
