"""No secret is known to a serializer, and none comes out of an answer."""

import inspect

import pytest
from django.contrib.auth import get_user_model
from rest_framework import serializers as drf

from tests.api.test_roles import EVERYTHING, ask, name
from trusted_devices.api import filters, own, requests, serializers, staff
from trusted_devices.models import Device, DeviceEvent, DeviceSession, SessionToEnd

PUBLIC = {
    Device: {
        "user", "device_key", "name", "binding", "status", "status_reason", "status_changed_at", "confirmed_at",
        "trust_period", "trust_expires_at", "last_authenticated_at", "last_ip", "user_agent", "created_at",
    },
    DeviceEvent: {
        "user", "device_key", "action", "reason", "actor", "note", "ip_address", "user_agent", "created_at",
    },
    DeviceSession: set(),
    SessionToEnd: set(),
}  # fmt: skip
"""The columns that may be shown. Whatever is added to a model is a secret until it stands here."""
SECRETS = {
    field.attname for model, public in PUBLIC.items() for field in model._meta.fields if field.name not in public
} - set().union(*PUBLIC.values()) | {"password", "last_login"}


def every_serializer():
    for module in (serializers, requests):
        for found in vars(module).values():
            if inspect.isclass(found) and issubclass(found, drf.BaseSerializer) and found.__module__ == module.__name__:
                yield found


@pytest.mark.parametrize(
    "serializer", sorted(set(every_serializer()), key=str), ids=lambda serializer: serializer.__name__
)
def test_no_serializer_knows_a_secret(serializer):
    assert not issubclass(serializer, drf.ModelSerializer), "fields are named one by one"
    for field_name, field in serializer().fields.items():
        words = {field_name, *str(field.source).split(".")}
        harmless = {"pk", "id"} if serializer.__name__ in ("UserSerializer", "ProblemMethodSerializer") else set()
        assert not (words & SECRETS) - harmless, f"{serializer.__name__}.{field_name}"


@pytest.mark.parametrize("filterset", [filters.DeviceFilter, filters.ActivityFilter])
def test_no_filter_looks_at_a_secret(filterset):
    for field_name, narrowing in filterset.base_filters.items():
        assert not {field_name, narrowing.field_name} & SECRETS


@pytest.mark.parametrize("view", [own.OwnDevices, own.OwnActivity, staff.Devices, staff.UserDevices, staff.Activity])
def test_nothing_is_ordered_by_a_secret(view):
    assert not set(view.orderings.values()) & SECRETS


@pytest.mark.parametrize("case", EVERYTHING, ids=name)
def test_no_answer_has_a_secret_in_it(case, device, operator, by_token, new_code):
    marks = {
        "secret_digest": "secret-a", "next_secret_digest": "secret-b", "rotation_nonce": b"secret-c",
        "srp_salt": b"secret-d", "srp_verifier": b"secret-e", "grant_id": "secret-g",
        "mfa_factor": "secret-h", "device_group_key": "-secreti",
    }  # fmt: skip
    Device.objects.update(**marks)
    get_user_model().objects.filter(pk=device.user_id).update(password="secret-j")  # the receivers would end trust
    for person in (device.user, operator):
        response = ask(by_token(person), case, device, new_code(person))
        text = response.content.decode()
        assert response.status_code < 500
        assert "secret-" not in text
        assert "c2VjcmV0" not in text  # the same in base64
        assert device.user.totpdevice_set.get().key not in text


def test_marks_cover_every_secret_of_a_device():
    """What is not marked above is a number, a date or the primary key, or is made from the password."""
    unmarked = {"id", "trust_granted_at", "secret_generation", "rotated_at", "credential_stamp", "modified_at"}
    marked = {
        "secret_digest", "next_secret_digest", "rotation_nonce", "srp_salt", "srp_verifier", "grant_id",
        "mfa_factor", "device_group_key",
    }  # fmt: skip
    columns = {field.name for field in Device._meta.fields}
    assert columns - PUBLIC[Device] == unmarked | marked
