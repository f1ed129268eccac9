"""A user pool signs people in: it asks for passwords and second factors, and has devices prove themselves."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.signals import user_login_failed
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from trusted_devices.cognito import calls, conf, identities, session, tokens, translate
from trusted_devices.cognito.client import PoolClient
from trusted_devices.cognito.errors import MalformedAnswer, Unacceptable, UserNotFound
from trusted_devices.cognito.flow import Answer, Attempt, Flow, PoolSignIn
from trusted_devices.exceptions import (
    ActionRequired,
    BackendUnavailable,
    CodeMismatch,
    DeviceNotFound,
    InvalidCredentials,
    PasswordRefused,
    SignInExpired,
    TooManyAttempts,
    TrustedDevicesError,
    UnknownMethod,
)
from trusted_devices.mfa.codes import normalise
from trusted_devices.owners.base import DeviceOwner
from trusted_devices.owners.pool import PoolOwner
from trusted_devices.signin.base import Conversation, Recall, SignInBackend
from trusted_devices.types import (
    ClientInfo,
    DeviceCredential,
    MfaMethod,
    MfaVerification,
    NewPassword,
    ProofState,
)

_AUTHENTICATOR_CODE = re.compile(r"[0-9]{6}")


class CognitoConversation(Conversation):
    """One walk through the pool's challenges; ``record`` is how far it has come."""

    def __init__(
        self, user: AbstractBaseUser, flow: Flow, record: PoolSignIn, credential: DeviceCredential | None = None
    ) -> None:
        super().__init__(user, flow.client)
        self._flow = flow
        self._record = record
        self._credential = credential

    @classmethod
    def after(cls, flow: Flow, attempt: Attempt) -> CognitoConversation:
        """Return the conversation after a password that was right. Raises ``InvalidCredentials`` and as ``Flow``."""
        begin = cls._with_tokens if "AuthenticationResult" in attempt.answer else cls._challenged
        conversation = begin(flow, attempt)
        conversation.device_lost = attempt.lost
        return conversation

    @classmethod
    def _with_tokens(cls, flow: Flow, attempt: Attempt) -> CognitoConversation:
        """The pool asks for nothing more: the device stood in for MFA, or MFA is not active for this user."""
        proved = attempt.proof is ProofState.PASSED
        found, user = _tokens(attempt.answer)
        if proved and (attempt.named is None or attempt.named.user_id != str(user.pk)):
            raise MalformedAnswer("A device of one user signed another in.")
        device_key = attempt.named.device_key if attempt.named and proved else ""
        record = PoolSignIn(username=attempt.username, device_key=device_key)
        conversation = cls(user, flow, record.finished(found, attempt.answer))
        conversation.proof = attempt.proof
        return conversation

    @classmethod
    def _challenged(cls, flow: Flow, attempt: Attempt) -> CognitoConversation:
        named = attempt.named.device_key if attempt.named else ""
        record = flow.wait(PoolSignIn(username=attempt.username, device_key=named), attempt.answer)
        # Whose a name is now only the pool can say, and here it is likely to have changed hands.
        changes = record.challenge in (translate.NEW_PASSWORD, translate.SET_UP)
        user = None if changes else identities.candidate(attempt.username)
        if user is None:
            user = identities.resolve(translate.user_claims(calls.user_record(attempt.username)))
        elif not user.is_active:
            raise InvalidCredentials
        conversation = cls(user, flow, record)
        # A device that proved itself and is asked for a code nevertheless may not stand in for it.
        failed = attempt.proof is ProofState.FAILED
        conversation.proof = ProofState.FAILED if failed else ProofState.MISSING
        return conversation

    @property
    def mfa_active(self) -> bool:
        return bool(self._record.challenge) or self.proof is ProofState.PASSED

    @property
    def state(self) -> Mapping[str, str]:
        return self._record.dump()

    @property
    def new_password(self) -> NewPassword | None:
        return self._record.new_password

    def methods(self) -> Sequence[MfaMethod]:
        return self._record.offered()

    def send(self, method: MfaMethod) -> None:
        record = self._record
        if record.challenge == translate.SELECT:
            record = record.waiting_for(self._choose(method))
        elif record.challenge != method.id:
            raise UnknownMethod
        elif record.announced:
            # The pool sends one code for each sign-in.
            raise TooManyAttempts
        self._record = dataclasses.replace(record, announced=True)

    def _choose(self, method: MfaMethod) -> Answer:
        record = self._record
        try:
            with _in_the_middle():
                answer = self._flow.respond(translate.SELECT, record.username, {"ANSWER": method.id}, record.session)
        except (ActionRequired, CodeMismatch):
            raise SignInExpired from None
        if answer.get("ChallengeName") != method.id:
            raise MalformedAnswer("The pool asks for another factor than was chosen.")
        return answer

    @sensitive_variables()
    def answer_code(self, method: MfaMethod, code: str) -> MfaVerification:
        record, plain = self._record, normalise(code)
        if record.challenge != method.id:
            raise SignInExpired
        if not plain or (method.kind == "totp" and not _AUTHENTICATOR_CODE.fullmatch(plain)):
            # The pool complains of it in the words that it has for faults of this site's.
            raise CodeMismatch
        with _in_the_middle():
            answer = self._respond_with(method, plain)
            now = timezone.now()
            if answer.get("ChallengeName") == translate.DEVICE:
                answer = self._prove_late(answer)
            if "AuthenticationResult" not in answer:
                raise MalformedAnswer("A second factor after the second factor.")
            found, user = _tokens(answer)
        if user.pk != self.user.pk:
            # The name has become another user's; from now on it leads to them.
            raise SignInExpired
        self._record = record.finished(found, answer)
        factor_id = translate.TOTP if method.id == translate.SET_UP else method.id
        return MfaVerification(kind=method.kind, factor_id=factor_id, at=now)

    @sensitive_variables()
    def _respond_with(self, method: MfaMethod, code: str) -> Answer:
        record = self._record
        if method.id == translate.SET_UP:
            return self._flow.set_up(record, code)
        return self._flow.respond(method.id, record.username, {translate.CODE_MEMBER[method.id]: code}, record.session)

    @sensitive_variables()
    def _prove_late(self, answer: Answer) -> Answer:
        """Prove the device after a code, for a pool that wants to know it but does not let it skip MFA."""
        credential = self._credential
        if credential is None or credential.device_key != self._record.device_key:
            raise SignInExpired
        return self._flow.prove(answer, self._record.username, credential)

    @sensitive_variables()
    def set_new_password(self, password: str, attributes: Mapping[str, str]) -> Conversation:
        record = self._record
        if record.new_password is None:
            raise SignInExpired
        typed = {translate.ATTRIBUTE + name: attributes[name] for name in record.attributes if name in attributes}
        responses = {"NEW_PASSWORD": password, **typed}
        with _in_the_middle():
            try:
                answer = self._flow.respond(translate.NEW_PASSWORD, record.username, responses, record.session)
            except Unacceptable as error:
                raise PasswordRefused(error.reason) from None
            except CodeMismatch as error:
                raise MalformedAnswer("No code was given.") from error
            following = self.after(self._flow, Attempt(username=record.username, answer=answer))
        if following.user.pk != self.user.pk:
            raise SignInExpired
        return following

    @property
    def owner(self) -> DeviceOwner:
        return PoolOwner(self._record)

    def session_data(self, device_key: str) -> Mapping[str, str]:
        return session.pack(self._record, device_key) if conf.get_options().KEEP_TOKENS else {}


class CognitoSignIn(SignInBackend):
    """``TRUSTED_DEVICES = {"BACKEND": "cognito", "COGNITO": {...}}``. The pool owns users and factors."""

    verifies_anytime = False

    @sensitive_variables()
    def begin(self, credentials: Mapping[str, str], *, client: ClientInfo, recall: Recall) -> Conversation:
        def recall_by_name(username: str) -> DeviceCredential | None:
            candidate = identities.candidate(username)
            return recall(candidate) if candidate is not None else None

        username, flow = credentials["username"], _flow(client)
        try:
            attempt = flow.begin(username, credentials["password"], recall_by_name)
            return CognitoConversation.after(flow, attempt)
        except InvalidCredentials:
            user_login_failed.send(sender=__name__, credentials={"username": username}, request=client.request)
            raise InvalidCredentials from None
        except (ActionRequired, BackendUnavailable, TooManyAttempts):
            raise
        except TrustedDevicesError as error:
            raise BackendUnavailable("The user pool refused the password for no reason that a password has.") from error

    def resume(
        self,
        user: AbstractBaseUser,
        state: Mapping[str, str],
        *,
        client: ClientInfo,
        credential: DeviceCredential | None = None,
    ) -> Conversation:
        return CognitoConversation(user, _flow(client), PoolSignIn.load(state), credential)

    def methods(self, user: AbstractBaseUser) -> Sequence[MfaMethod]:
        sub = identities.sub_of(user.pk)
        if sub is None:
            return []
        try:
            return translate.user_methods(calls.user_record(sub))
        except UserNotFound:
            return []


def _flow(client: ClientInfo) -> Flow:
    return Flow(PoolClient(conf.get_options()), client)


def _tokens(answer: Answer) -> tuple[tokens.Tokens, Any]:
    """Return the tokens of the end of a sign-in, and whose they are. Raises ``InvalidCredentials``."""
    found = tokens.verify(answer["AuthenticationResult"], conf.get_options(), now=timezone.now())
    return found, identities.resolve(found.claims)


@contextmanager
def _in_the_middle() -> Iterator[None]:
    """The password was right a moment ago: a user who may not sign in now was disabled or deleted meanwhile."""
    try:
        yield
    except (DeviceNotFound, InvalidCredentials):
        raise SignInExpired from None
