"""Why the SRP code refuses an input: one class per reason, each with a stable ``code``.

No message ever holds the refused value, so all of them are safe to log and to show.
"""

from trusted_devices.exceptions import TrustedDevicesError


class SrpError(TrustedDevicesError):
    """Root of every refusal in this package's SRP modules."""

    code = "srp_error"


class LengthError(SrpError):
    """An input is longer than it may be (raised before it is decoded), or not of its one length."""

    code = "bad_length"


class HexError(SrpError):
    """An integer is not written in plain hexadecimal digits (no sign, prefix, blank or underscore)."""

    code = "not_hex"


class Base64Error(SrpError):
    """Bytes are not written in canonical, padded, standard base64."""

    code = "not_base64"


class TextError(SrpError):
    """A text has no UTF-8 form (it holds half of a surrogate pair)."""

    code = "not_text"


class TimestampError(SrpError):
    """A timestamp is not exactly ``ddd MMM D HH:mm:ss UTC YYYY``, or names no real moment."""

    code = "bad_timestamp"


class PoolIdError(SrpError):
    """A user pool id is not ``<region>_<name>`` with exactly one underscore."""

    code = "bad_pool_id"


class PublicValueError(SrpError):
    """A public value would fix the shared secret: A or B is 0 modulo N, or u is 0."""

    code = "unsafe_public_value"


class SaltError(SrpError):
    """A salt is negative, zero or too large."""

    code = "unsafe_salt"


class VerifierError(SrpError):
    """A verifier is negative, 0, 1, or not below N."""

    code = "unsafe_verifier"


class ClaimError(SrpError):
    """A well-formed claim signature does not match: whoever made it lacks the password."""

    code = "wrong_claim"
