"""The site signs people in itself: Django's users and passwords, any second factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar

from django.contrib.auth import authenticate
from django.contrib.auth.base_user import AbstractBaseUser
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from trusted_devices.exceptions import InvalidCredentials
from trusted_devices.mfa import get_provider
from trusted_devices.signin.base import Conversation, Recall, SignInBackend
from trusted_devices.types import ClientInfo, DeviceCredential, MfaMethod, MfaVerification


class LocalConversation(Conversation):
    """Asks the provider of ``TRUSTED_DEVICES["MFA"]``, once for the user's methods. Nothing is kept in between."""

    @property
    def mfa_active(self) -> bool:
        return bool(self._methods)

    @cached_property
    def _methods(self) -> Sequence[MfaMethod]:
        return get_provider().methods(self.user)

    def methods(self) -> Sequence[MfaMethod]:
        return self._methods

    def send(self, method: MfaMethod) -> None:
        get_provider().send_code(self.user, method, client=self.client)

    def answer_code(self, method: MfaMethod, code: str) -> MfaVerification:
        return get_provider().verify(self.user, method, code, client=self.client, now=timezone.now())


class LocalSignIn(SignInBackend):
    """``TRUSTED_DEVICES = {"BACKEND": "local"}``, the default."""

    keeps_factors = True
    conversation_class: ClassVar[type[LocalConversation]] = LocalConversation

    @sensitive_variables("credentials")
    def begin(self, credentials: Mapping[str, str], *, client: ClientInfo, recall: Recall) -> Conversation:
        user = authenticate(client.request, **credentials)
        if user is None:
            raise InvalidCredentials
        return self.conversation_class(user, client)

    def resume(
        self,
        user: AbstractBaseUser,
        state: Mapping[str, str],
        *,
        client: ClientInfo,
        credential: DeviceCredential | None = None,
    ) -> Conversation:
        return self.conversation_class(user, client)

    def methods(self, user: AbstractBaseUser) -> Sequence[MfaMethod]:
        return get_provider().methods(user)
