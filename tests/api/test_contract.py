"""The API keeps to its OpenAPI document whatever it is asked."""

import pytest
import schemathesis
import yaml
from django.contrib.auth import get_user_model
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from rest_framework.authtoken.models import Token
from schemathesis.checks import CHECKS

from tests.api import openapi
from trusted_devices.api.throttles import DEFAULT_RATES
from trusted_devices.models import Device, DeviceEvent
from trusted_devices.services import devices
from trusted_devices.types import By, ClientInfo, DeviceStatus, StatusReason

KEYS = [f"local_0000000{number}-0000-4000-8000-000000000000" for number in range(4)]
USER_ID = 1_000_001
TOKEN = "0" * 40
EXCLUDED = ["positive_data_acceptance"]
"""A schema cannot say which periods a policy allows or which users there are."""


def _document():
    """Return the document, with keys and users in the paths that there are besides those that there are not."""
    document = yaml.safe_load(openapi.PATH.read_text(encoding="utf-8"))
    known = {"device_key": [*KEYS, "unknown"], "user_id": [str(USER_ID), "0"]}
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    parameter["schema"] = {"type": "string", "enum": known[parameter["name"]]}
    return document


api = schemathesis.openapi.from_dict(_document())
api.app = WSGIHandler()


@api.auth()
class TokenAuth:
    """Requests carry the token, except where it is tried what happens without."""

    def get(self, case, context):
        return TOKEN

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Token {data}"


@pytest.fixture
def _one_connection():
    """Let requests leave the test's connection and its transaction open, as those of Django's own test client do."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def _world(db, _one_connection, settings):
    """The token of staff who have devices of their own, and whom nobody slows down."""
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": dict.fromkeys(DEFAULT_RATES)}
    operator = get_user_model().objects.create_superuser("olga", "olga@example.com", "pw", id=USER_ID)
    now = timezone.now()
    found = [Device(user=operator, device_key=key, confirmed_at=now, name="Mine") for key in KEYS]
    for device in found[:2]:
        device.status, device.status_reason = DeviceStatus.REMEMBERED, StatusReason.USER_TRUSTED
    Device.objects.bulk_create(found)
    devices.rename(device=Device.objects.first(), name="Named", by=By(actor=operator, client=ClientInfo()))
    assert DeviceEvent.objects.exists()
    Token.objects.create(user=operator, key=TOKEN)


@api.parametrize()
@settings(
    max_examples=6,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_one_that_the_document_names(case, _world):
    excluded = [check for check in CHECKS.get_all() if check.__name__ in EXCLUDED]
    with transaction.atomic():
        case.call_and_validate(excluded_checks=excluded)
        transaction.set_rollback(True)
