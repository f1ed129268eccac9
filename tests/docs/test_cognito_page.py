"""What the how-to about Amazon Cognito claims."""

import json
import re
from datetime import timedelta
from types import SimpleNamespace

import yaml

from benchmarks.cognito_sweep import simulate
from tests.cognito.stubs import operations
from tests.cognito.test_errors import CONTEXT
from tests.docs.cognito_options import PAGE, TABLE, rows
from trusted_devices.cognito import client
from trusted_devices.conf import Settings

OPTIONAL = {"admin_initiate_auth", "admin_respond_to_auth_challenge", "admin_update_user_attributes"}
"""Calls that only some options make."""


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def signed():
    return {f"cognito-idp:{operations()[name]}" for name in CONTEXT if client._is_signed(name) and name not in OPTIONAL}


def test_the_options_are_those_that_there_are():
    """If this fails: ``python -m tests.docs.cognito_options``."""
    table = TABLE.search(PAGE.read_text())
    assert table is not None
    assert table.group() == rows()


def test_the_policy_allows_what_the_backend_calls_and_no_more():
    (statement,) = json.loads(blocks("json")[0])["Statement"]
    assert set(statement["Action"]) == signed()
    for name in OPTIONAL:
        assert f"`cognito-idp:{operations()[name]}`" in PAGE.read_text()


def test_terraform_and_cloudformation_allow_the_same():
    for block in (blocks("terraform")[1], blocks("yaml")[0]):
        assert set(re.findall(r"cognito-idp:\w+", block)) == signed()


def test_the_cloudformation_template_sets_the_pool_up_as_the_checks_demand():
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda loader, suffix, node: node.value)
    template = yaml.load(blocks("yaml")[0], Loader)
    pool, app = template["People"]["Properties"], template["Site"]["Properties"]
    assert pool["MfaConfiguration"] in ("OPTIONAL", "ON")
    assert set(pool["DeviceConfiguration"].values()) == {True}
    assert {"ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"} <= set(app["ExplicitAuthFlows"])
    minutes = Settings().SIGN_IN_TIMEOUT // timedelta(minutes=1)
    assert app["AuthSessionValidity"] == minutes
    assert f"auth_session_validity         = {minutes}\n" in blocks("terraform")[0]


def test_the_mapper_of_the_example_makes_staff_by_group():
    names = {}
    exec(compile(blocks("python")[1], "cognito.md", "exec"), names)
    saved = []
    user = SimpleNamespace(is_staff=False, save=lambda **fields: saved.append(fields["update_fields"]))
    mapper = names["StaffByGroup"]()
    mapper._follow = lambda user, claims: []
    mapper.update(user, {"cognito:groups": ["staff"]})
    assert (user.is_staff, saved) == (True, [["is_staff"]])
    mapper.update(user, {})
    assert user.is_staff is False


def test_the_figures_are_those_of_the_simulation():
    page = PAGE.read_text()
    assert f"{10_000_000 / 60 / 86_400:.2f} a second fall due" in page
    assert simulate(10_000_000, 5).longest_wait == 0
    assert f"100 million make {100_000_000 / 60 / 86_400:.2f}" in page
    slowest = simulate(100_000_000, 20)
    assert f"up to {slowest.longest_wait:.1f} hours late" in page
    assert slowest.clears
    assert not simulate(100_000_000, 19).clears
