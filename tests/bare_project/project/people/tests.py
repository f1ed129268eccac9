"""The project's own tests: its provider keeps the contract."""

from itertools import count

from codes import ListedCodes
from django.test import TestCase

from people.models import Code
from trusted_devices.signin.local import LocalSignIn
from trusted_devices.testing.contracts import MfaProviderContract, SignInContract

_numbers = count(100_000, 7)


class Codes:
    def add_factor(self, user):
        return Code.objects.create(user=user, value=str(next(_numbers)))

    def code(self, factor):
        return factor.value


class ListedCodesTest(Codes, MfaProviderContract, TestCase):
    def make_provider(self):
        return ListedCodes()


class LocalSignInTest(Codes, SignInContract, TestCase):
    def make_sign_in(self):
        return LocalSignIn()
