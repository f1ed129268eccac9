"""The operator's console in Django's admin; importing it registers devices and activity.

For your own user admin: :class:`trusted_devices.admin.users.TrustedDevicesUserAdminMixin`.
"""

from __future__ import annotations

from trusted_devices.admin import devices, events  # noqa: F401
