"""How Amazon Cognito writes integers, bytes, text and time in SRP: strict to read, canonical to write.

Every reader bounds the length before it decodes, so a hostile input costs nothing. ``name`` is the wire name
of the field, for the message.
"""

import binascii
import re
from base64 import b64decode, b64encode
from datetime import UTC, datetime

from trusted_devices.crypto.errors import Base64Error, HexError, LengthError, TextError, TimestampError

_HEX = re.compile(r"[0-9a-fA-F]+")
# Spelled out because strftime follows the process's locale and the wire does not.
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIMESTAMP = re.compile(
    rf"(?:{'|'.join(_WEEKDAYS)}) ({'|'.join(_MONTHS)}) "
    r"([0-9]{1,2}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) UTC ([0-9]{4})"
)


def pad(value: int, /) -> bytes:
    """PAD(i): the minimal signed big-endian bytes of a non-negative integer, as Java's ``toByteArray()``.

    No superfluous leading zeros, but one 00 where the top bit of the first byte would be set; 0 is one byte.
    It is what goes into every hash, never a fixed width. Raises OverflowError for a negative integer.
    """
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def parse_signed(data: bytes, /) -> int:
    """The integer of signed big-endian bytes, the inverse of :func:`pad`; negative if the top bit is set."""
    return int.from_bytes(data, "big", signed=True)


def to_hex(value: int, /) -> str:
    """A non-negative integer in canonical hex: lower case, no leading zeros.

    SALT must travel so: some clients hash its text, others its integer, and only in this form do they agree.
    """
    return f"{value:x}"


def parse_hex(text: str, /, *, name: str, max_digits: int) -> int:
    """A non-negative integer from 1 to ``max_digits`` hex digits of either case.

    Raises LengthError, or HexError for anything but digits.
    """
    if len(text) > max_digits:
        raise LengthError(f"{name} is longer than {max_digits} hexadecimal digits.")
    if not _HEX.fullmatch(text):
        raise HexError(f"{name} is not a non-negative hexadecimal integer.")
    return int(text, 16)


def encode_base64(data: bytes, /) -> str:
    """Standard base64 with padding."""
    return b64encode(data).decode("ascii")


def decode_base64(text: str, /, *, name: str, max_bytes: int) -> bytes:
    """At most ``max_bytes`` bytes from standard base64 with padding.

    Only the one canonical spelling of each byte string is read: no blanks, URL-safe letters or stray bits.
    Raises LengthError or Base64Error.
    """
    if len(text) > (max_bytes + 2) // 3 * 4:
        raise LengthError(f"{name} is longer than {max_bytes} bytes.")
    try:
        data = b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise Base64Error(f"{name} is not valid base64.") from None
    if encode_base64(data) != text:
        raise Base64Error(f"{name} is not canonical base64.")
    if len(data) > max_bytes:
        raise LengthError(f"{name} is longer than {max_bytes} bytes.")
    return data


def encode_text(text: str, /, *, name: str) -> bytes:
    """UTF-8, without normalisation (clients do none). Raises TextError for a lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        # The original error carries the text, which may be a password.
        raise TextError(f"{name} cannot be written in UTF-8.") from None


def format_timestamp(moment: datetime, /) -> str:
    """``ddd MMM D HH:mm:ss UTC YYYY``, e.g. ``Tue Jan 6 03:04:05 UTC 2026``, whatever the locale.

    Takes an aware datetime of any zone and drops the fraction. Raises ValueError for a naive one.
    """
    if moment.tzinfo is None:
        raise ValueError("A naive datetime has no UTC form.")
    utc = moment.astimezone(UTC)
    weekday, month = _WEEKDAYS[utc.weekday()], _MONTHS[utc.month - 1]
    return f"{weekday} {month} {utc.day} {utc:%H:%M:%S} UTC {utc.year:04}"


def parse_timestamp(text: str, /) -> datetime:
    """The aware (UTC) moment of a TIMESTAMP, read as strictly as the real service does.

    A zero-padded day, a wrong weekday, other letter case or a date that does not exist raise TimestampError.
    Sign and verify over the text as received, never over the re-formatted moment.
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise TimestampError("TIMESTAMP is not in the form ddd MMM D HH:mm:ss UTC YYYY.")
    month, *numbers = match.groups()
    day, hour, minute, second, year = map(int, numbers)
    try:
        moment = datetime(year, _MONTHS.index(month) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise TimestampError("TIMESTAMP is not a real date and time.") from None
    if format_timestamp(moment) != text:
        raise TimestampError("TIMESTAMP has a zero-padded day or the wrong weekday.")
    return moment
