"""The registry against botocore's model and the documentation."""

from __future__ import annotations

from pathlib import Path

from trusted_devices.cognito_idp import coverage
from trusted_devices.cognito_idp.protocol import service_model
from trusted_devices.cognito_idp.registry import Access, operations

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cognito-operations.md"


def test_the_page_in_the_documentation_is_the_generated_one() -> None:
    assert PAGE.read_text() == coverage.render(), (
        "run: manage.py cognito_operations > docs/reference/cognito-operations.md"
    )


def test_every_operation_is_one_of_cognitos_and_authorised_as_there() -> None:
    model = service_model()
    for name, operation in operations().items():
        unsigned = model.operation_model(name).auth_type == "none"
        assert unsigned is (operation.access is not Access.SIGNED), name


def test_what_answers_with_an_output_never_answers_with_an_empty_body() -> None:
    empty = {name for name in operations() if service_model().operation_model(name).output_shape is None}
    assert empty == {"ForgetDevice", "AdminForgetDevice", "DeleteUserPool", "DeleteUserPoolClient"}
