"""The registry against botocore's model and the documentation."""

from pathlib import Path

import pytest
from botocore.validate import ParamValidator
from django.core.management import call_command

from tests.cognito_idp.wire import decoded
from trusted_devices.cognito_idp.protocol import service_model
from trusted_devices.cognito_idp.registry import Access, operations

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cognito-operations.md"


def test_the_page_in_the_documentation_is_the_generated_one(capsys):
    call_command("cognito_operations")
    assert PAGE.read_text() == capsys.readouterr().out, (
        "run: manage.py cognito_operations > docs/reference/cognito-operations.md"
    )


def test_every_operation_is_one_of_cognitos_and_authorised_as_there():
    model = service_model()
    for name, operation in operations().items():
        unsigned = model.operation_model(name).auth_type == "none"
        assert unsigned is (operation.access is not Access.SIGNED), name


@pytest.mark.django_db
@pytest.mark.parametrize("operation", operations())
def test_an_answer_has_the_members_and_types_that_clients_expect(scene, operation, settings):
    settings.OTP_TOTP_THROTTLE_FACTOR = 0
    response = scene.raw(operation, scene.params(operation))
    assert response.status_code == 200
    shape = service_model().operation_model(operation).output_shape
    if shape is None:
        assert response.content == b""
        return
    answer = decoded(response)
    assert set(answer) <= set(shape.members)
    assert ParamValidator().validate(answer, shape).generate_report() == ""
