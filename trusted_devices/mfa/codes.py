"""One-time codes as people type them."""

from __future__ import annotations

import unicodedata

LONGEST_CODE = 64
_HYPHENS = dict.fromkeys(map(ord, "-\u2010\u2011\u2012\u2013\u2014\u2212"))


def normalise(code: str) -> str:
    """Return ``code`` without spaces and hyphens and in plain digits; empty if it cannot be a code.

    Letters and digits only: one code has one spelling (Python's ``int`` reads "12_34" and "+1234", too), so that it
    cannot be used twice under two, and nothing reaches a database that it refuses.
    """
    plain = "".join(unicodedata.normalize("NFKC", code[: 4 * LONGEST_CODE]).split())
    plain = plain.translate(_HYPHENS)
    return plain if plain.isascii() and plain.isalnum() and len(plain) <= LONGEST_CODE else ""
