"""A second factor written by hand: a list of codes, each good for once."""

from people.models import Code

from trusted_devices.exceptions import CodeMismatch
from trusted_devices.mfa.base import BaseMfaProvider
from trusted_devices.types import MfaMethod, MfaVerification


class ListedCodes(BaseMfaProvider):
    def methods(self, user):
        listed = Code.objects.filter(user=user).exists()
        return [MfaMethod(id="codes", kind="codes", label="Code from your list")] if listed else []

    def verify(self, user, method, code, *, client, now):
        used, _ = Code.objects.filter(user=user, value=code).delete()
        if not used or method.id != "codes":
            raise CodeMismatch
        return MfaVerification(kind="codes", factor_id="codes", at=now)
