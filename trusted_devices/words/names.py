"""What a device may be called: one rule, whoever names it.

What nobody can see is dropped. Refused is what reaches beyond the name: control characters, and what turns the
direction of the text around it (UAX #9, explicit formatting). An app or a user pool cannot be asked for another name,
so that of theirs loses such characters instead. Any character else is welcome, also one that this Python does not know
yet: new emoji come every year.
"""

from __future__ import annotations

import re
import unicodedata

from django.utils.translation import gettext as _

from trusted_devices.exceptions import InvalidDeviceName

_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_NONCHARACTERS = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{2,6}\U000e007f"
"""A flag that is spelled out in tags, such as Scotland's (UTS #51, emoji tag sequences)."""
_UNSEEN = re.compile(
    f"({_FLAG})|["
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
    f"\ud800-\udfff\ufdd0-\ufdef{_NONCHARACTERS}]"
)
"""What shows nothing (Default_Ignorable_Code_Point) and is of no use to what stands beside it, or is no character."""
_MARKS = re.compile("[\u061c\u180b-\u180d\u180f\u200c-\u200f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""What shows nothing by itself, but shapes its neighbours: joiners, marks of direction, selectors of a variant."""
_BLANK = "\u2800"
"""The space of Braille."""


def clean(name: str, *, longest: int) -> str:
    """Return ``name`` in the form in which it is stored, at most ``longest`` characters.

    Raises ``InvalidDeviceName``, also for a name of which nothing can be seen.
    """
    if len(name) > 4 * longest:
        raise InvalidDeviceName("too_long")
    name = _tidy(name)
    if _is_empty(name):
        raise InvalidDeviceName("empty")
    if len(name) > longest:
        raise InvalidDeviceName("too_long")
    if _REFUSED.search(name):
        raise InvalidDeviceName("characters")
    return name


def shown(name: str, *, longest: int) -> str:
    """Return what of ``name`` can be shown, at most ``longest`` characters; it may be nothing."""
    name = _tidy(_REFUSED.sub(" ", name))
    name = _tidy(name[:longest])  # the cut may have left half a flag
    return "" if _is_empty(name) else name


def why_refused(error: InvalidDeviceName, *, longest: int) -> str:
    """Return what to say of a name that was refused."""
    words = {
        "empty": _("Nothing of this name can be seen. Choose another."),
        "too_long": _("The name is too long. It may have at most %(limit)d characters.") % {"limit": longest},
        "characters": _("The name has characters that cannot be shown. Use letters, digits and signs."),
        "unstorable": _("The database of this site cannot store a character of this name, such as an emoji."),
    }
    return words[error.reason]


def _tidy(name: str) -> str:
    seen = _UNSEEN.sub(r"\1", name.replace(_BLANK, " "))
    return " ".join(unicodedata.normalize("NFC", seen).split())


def _is_empty(name: str) -> bool:
    return not _MARKS.sub("", name).strip()
