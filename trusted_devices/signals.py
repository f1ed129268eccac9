"""Signals for the host to listen to, sent after the commit; the app's own rules never hang on them.

All are sent with the ``Device`` model as sender and robustly: a failing receiver is logged and harms nothing.
"""

from __future__ import annotations

from django.dispatch import Signal

device_confirmed = Signal()
"""A device registered its secret. Arguments: ``device``, ``client`` (:class:`~trusted_devices.types.ClientInfo`)."""

device_remembered = Signal()
"""A device may skip MFA until ``device.trust_expires_at``. Arguments: ``device``, ``client``, ``new`` (bool)."""

device_not_remembered = Signal()
"""Trust was ended before its date. Arguments: ``device``, ``reason`` (``StatusReason``), ``actor`` (user or None)."""

device_forgotten = Signal()
"""A device is gone. Arguments: ``device`` (already deleted), ``actor`` (user or None)."""

devices_forgotten = Signal()
"""Devices of one user are gone, by one act, at however many of them it was aimed; sent once for each user.
Arguments: ``devices`` (already deleted; those that went first, where the act takes its time), ``actor``."""

device_expired = Signal()
"""The sweep found that a device's trust had ended. Arguments: ``device``."""

trust_refused = Signal()
"""A sign-in brought a device along and is asked for MFA all the same.
Arguments: ``user``, ``device`` (or None), ``reason`` (``TrustReason``), ``client``."""

factors_changed = Signal()
"""A second factor was added, reset, put out of use or removed. Arguments: ``user_id``."""

device_compromised = Signal()
"""A superseded secret came back: the cookie was copied. Trust and sessions have ended.
Arguments: ``device``, ``client``."""
