"""Sign-ins of which a part cannot be reached. The setting names the backends at the end."""

from trusted_devices.backends import Backend
from trusted_devices.exceptions import BackendUnavailable
from trusted_devices.signin.local import LocalConversation, LocalSignIn


class NoPasswords(LocalSignIn):
    """Cannot check passwords."""

    def begin(self, credentials, **options):
        raise BackendUnavailable


class WithoutCodes(LocalConversation):
    """Cannot check or send codes."""

    def send(self, method):
        raise BackendUnavailable

    def answer_code(self, method, code):
        raise BackendUnavailable


class NoCodes(LocalSignIn):
    """Asks for codes that it cannot check."""

    conversation_class = WithoutCodes


class BreakingDown(LocalConversation):
    """Fails in ways that nobody has thought of."""

    def answer_code(self, method, code):
        raise RuntimeError("broken")


class Broken(LocalSignIn):
    """Fails at every step."""

    conversation_class = BreakingDown

    def begin(self, credentials, **options):
        raise RuntimeError("broken")


class OnlyAtSignIn(LocalSignIn):
    """Asks for second factors only in the course of a sign-in."""

    verifies_anytime = False


class LosingFactors(LocalConversation):
    """The factor that is asked for is removed while its code is on the way."""

    def send(self, method):
        self.user.emaildevice_set.all().delete()
        super().send(method)

    def answer_code(self, method, code):
        self.user.totpdevice_set.all().delete()
        return super().answer_code(method, code)


class LosesFactors(LocalSignIn):
    """Its conversations lose factors."""

    conversation_class = LosingFactors


NO_PASSWORDS = Backend(sign_in=f"{__name__}.NoPasswords")
NO_CODES = Backend(sign_in=f"{__name__}.NoCodes")
BROKEN = Backend(sign_in=f"{__name__}.Broken")
ONLY_AT_SIGN_IN = Backend(sign_in=f"{__name__}.OnlyAtSignIn")
LOSES_FACTORS = Backend(sign_in=f"{__name__}.LosesFactors")
