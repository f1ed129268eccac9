"""The admin's pages of pools, clients, users and access keys."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from tests.admin.conftest import signed_in
from tests.cognito_idp.factories import make_pool
from tests.cognito_idp.signed import Admin
from tests.cognito_idp.wire import App
from trusted_devices.cognito_idp import accounts
from trusted_devices.cognito_idp.models import AccessKey, SigningKey, UserPool, UserPoolClient
from trusted_devices.models import Device


@pytest.fixture
def desk(db):
    """A superuser's browser."""
    return signed_in(get_user_model().objects.create_superuser("olga", "olga@example.com", "pw"))


def url(model, page, *args):
    return reverse(f"admin:trusted_devices_cognito_idp_{model}_{page}", args=args)


POOL = {"name": "Shop", "pool_id": "us-east-1_Shop1", "tracking": "opt_in", "mfa": "OPTIONAL"}


def test_a_pool_is_made_and_can_be_signed_in_to(desk, user):
    response = desk.post(url("userpool", "add"), {**POOL, "trust_period": "30 00:00:00", "software_token_mfa": "on"})
    assert response.status_code == 302, response.context["errors"]
    pool = UserPool.objects.get()
    assert pool.signing_keys.count() == 2
    assert pool.trust_period is not None
    assert pool.trust_period.days == 30
    change = desk.get(url("userpool", "change", pool.pk)).content.decode()
    assert 'name="pool_id"' not in change
    assert "group" not in change.lower() or pool.device_group_key not in change


def test_a_pool_that_does_not_ask_for_the_site_s_factors_is_warned_of(desk):
    said = "The pool does not ask for: email."
    saved = desk.post(url("userpool", "add"), {**POOL, "software_token_mfa": "on"}, follow=True)
    assert said in saved.content.decode()
    change = url("userpool", "change", UserPool.objects.get().pk)
    assert f"{said} Whoever has no other second factor signs in" in desk.get(change).content.decode()
    UserPool.objects.update(mfa="ON")
    assert f"{said} Whoever has no other second factor cannot sign in" in desk.get(change).content.decode()
    UserPool.objects.update(email_mfa=True)
    assert "does not ask for" not in desk.get(change).content.decode()


@pytest.mark.parametrize(
    "wrong",
    [{"pool_id": "no underscore"}, {"pool_id": "a_b_c"}, {"trust_period": "500 00:00:00"}, {"trust_period": "-1"}],
)
def test_a_pool_that_could_not_work_is_refused(desk, wrong):
    response = desk.post(url("userpool", "add"), {**POOL, **wrong})
    assert response.status_code == 200
    assert next(iter(wrong)) in response.context["adminform"].form.errors
    assert not UserPool.objects.exists()


def test_keys_are_rotated_by_an_action(desk, pool):
    response = desk.post(
        url("userpool", "changelist"), {"action": "rotate_keys", "_selected_action": [pool.pk]}, follow=True
    )
    assert b"1 pool has new keys" in response.content
    assert SigningKey.objects.count() == 4


def test_deleting_a_pool_forgets_its_devices_unless_it_is_protected(desk, app):
    app.remembered_device(None)
    UserPool.objects.update(deletion_protection=True)
    pool = app.pool
    assert desk.post(url("userpool", "delete", pool.pk), {"post": "yes"}).status_code == 403
    desk.post(
        url("userpool", "changelist"),
        {"action": "delete_selected", "_selected_action": [pool.pk], "post": "yes"},
    )
    assert Device.objects.exists()
    UserPool.objects.update(deletion_protection=False)
    assert desk.post(url("userpool", "delete", pool.pk), {"post": "yes"}).status_code == 302
    assert not Device.objects.exists()
    assert not UserPool.objects.exists()


CLIENT = {
    "name": "app",
    "auth_flows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
    "access_token_validity": "01:00:00",
    "id_token_validity": "01:00:00",
    "refresh_token_validity": "30 00:00:00",
    "auth_session_validity": "3",
    "rotation_grace": "0",
}


def secret_on(page):
    found = re.findall(r"<code>([^<]+)</code>", page)
    assert len(found) == 2, page
    return found[1]


def test_a_client_with_old_names_of_flows_shows_what_it_may_do(desk, app_client):
    UserPoolClient.objects.update(auth_flows=["USER_PASSWORD_AUTH"])
    form = desk.get(url("userpoolclient", "change", app_client.pk)).context["adminform"].form
    assert form.initial["auth_flows"] == ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH"]


def test_a_clients_secret_is_shown_once(desk, pool, user, wire):
    response = desk.post(url("userpoolclient", "add"), {**CLIENT, "pool": pool.pk, "with_secret": "on"})
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    secret = secret_on(response.content.decode())
    client = UserPoolClient.objects.get()
    app = App(wire, client, "maria", "correct horse", secret=secret)
    assert "AuthenticationResult" in app.password_sign_in()
    for page in (url("userpoolclient", "change", client.pk), url("userpoolclient", "changelist")):
        content = desk.get(page).content.decode()
        assert secret not in content
        assert client.sealed_secret not in content
    changed = {**CLIENT, "name": "renamed"}
    assert desk.post(url("userpoolclient", "change", client.pk), changed).status_code == 302
    client.refresh_from_db()
    assert (client.name, accounts.client_secret(client)) == ("renamed", secret)


def test_a_client_without_a_secret_shows_none(desk, pool):
    assert desk.post(url("userpoolclient", "add"), {**CLIENT, "pool": pool.pk}).status_code == 302
    assert not UserPoolClient.objects.get().has_secret
    wrong = {**CLIENT, "pool": pool.pk, "access_token_validity": "00:01:00", "auth_session_validity": "60"}
    errors = desk.post(url("userpoolclient", "add"), wrong).context["adminform"].form.errors
    assert set(errors) == {"access_token_validity", "auth_session_validity"}


def test_an_access_keys_secret_is_shown_once_and_signs(desk, pool, wire):
    made = {"name": "backend", "operations": "AdminList*\nDescribeUserPool", "pools": [pool.pk], "is_active": "on"}
    response = desk.post(url("accesskey", "add"), made)
    assert response.status_code == 200, response.content
    assert "no-store" in response["Cache-Control"]
    secret = secret_on(response.content.decode())
    key = AccessKey.objects.get()
    assert (key.operations, key.created_by.get_username() if key.created_by else None) == (
        ["AdminList*", "DescribeUserPool"],
        "olga",
    )
    assert Admin(wire, key, secret).call("DescribeUserPool", UserPoolId=pool.pool_id)
    page = desk.get(url("accesskey", "change", key.pk)).content.decode()
    assert secret not in page
    assert key.sealed_secret not in page
    assert "AdminList*\nDescribeUserPool" in page
    sealed = key.sealed_secret
    assert desk.post(url("accesskey", "change", key.pk), {**made, "name": "renamed"}).status_code == 302
    key.refresh_from_db()
    assert (key.name, key.sealed_secret) == ("renamed", sealed)


def test_an_access_key_is_for_some_pools_or_expressly_for_all(desk, pool, wire):
    made = {"name": "backend", "operations": "*", "is_active": "on"}
    for wrong in ({}, {"all_pools": "on", "pools": [pool.pk]}):
        response = desk.post(url("accesskey", "add"), {**made, **wrong})
        assert list(response.context["adminform"].form.errors) == ["pools"], wrong
    secret = secret_on(desk.post(url("accesskey", "add"), {**made, "all_pools": "on"}).content.decode())
    key = AccessKey.objects.get()
    assert Admin(wire, key, secret).call("CreateUserPool", PoolName="mine")
    retired = {"name": "backend", "operations": "*"}
    assert desk.post(url("accesskey", "change", key.pk), retired).status_code == 302


def test_an_access_key_for_an_operation_that_does_not_exist_is_refused(desk):
    response = desk.post(url("accesskey", "add"), {"name": "x", "operations": "AdminFly", "is_active": "on"})
    assert "AdminFly" in str(response.context["adminform"].form.errors["operations"])
    assert not AccessKey.objects.exists()


def test_a_user_is_given_a_phone_number(desk, pool, user):
    pool_user = accounts.get_pool_user(pool, user)
    page = url("pooluser", "change", pool_user.pk)
    assert desk.post(page, {"phone_number": "+491701234567"}).status_code == 302
    pool_user.refresh_from_db()
    assert pool_user.phone_number == "+491701234567"
    assert desk.get(url("pooluser", "changelist") + "?q=maria").status_code == 200
    assert desk.get(url("pooluser", "add")).status_code == 403


def test_a_user_can_be_made_to_set_a_new_password_and_attributes(desk, pool, app, user):
    chosen = {"required_attributes": ["given_name", "email"]}
    page = url("userpool", "change", pool.pk)
    assert desk.post(page, {**POOL, **chosen}).status_code == 302
    assert desk.get(page).context["adminform"].form["required_attributes"].value() == ["given_name", "email"]
    pool.refresh_from_db()
    assert pool.required_attributes == ["given_name", "email"]
    pool_user = accounts.get_pool_user(pool, user)
    assert desk.post(url("pooluser", "change", pool_user.pk), {"must_change_password": "on"}).status_code == 302
    listed = desk.get(url("pooluser", "changelist") + "?must_change_password__exact=1")
    assert listed.context["cl"].result_count == 1
    answer = app.password_sign_in()
    assert answer["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    assert answer["ChallengeParameters"]["requiredAttributes"] == '["userAttributes.given_name"]'
    assert desk.post(url("pooluser", "change", pool_user.pk), {}).status_code == 302
    assert "AuthenticationResult" in app.password_sign_in()


def test_a_pool_requires_no_attribute_that_it_could_not_ask_for(desk):
    response = desk.post(url("userpool", "add"), {**POOL, "required_attributes": ["shoe_size"]})
    assert "shoe_size" in str(response.context["adminform"].form.errors["required_attributes"])
    assert not UserPool.objects.exists()


def test_pools_are_deleted_together_unless_one_of_them_is_protected(desk, app):
    app.sign_in()
    app.confirm()
    kept = make_pool(deletion_protection=True)
    chosen = {"action": "delete_selected", "_selected_action": [app.pool.pk, kept.pk], "post": "yes"}
    assert desk.post(url("userpool", "changelist"), chosen).status_code == 403
    assert UserPool.objects.count() == 2
    assert Device.objects.exists()
    desk.post(url("userpool", "changelist"), {**chosen, "_selected_action": [app.pool.pk]})
    assert list(UserPool.objects.all()) == [kept]
    assert not Device.objects.exists()


@pytest.mark.parametrize("model", ["userpool", "userpoolclient", "pooluser", "accesskey"])
def test_lists_cost_the_same_however_long_they_are(desk, app, model, django_assert_max_num_queries):
    app.sign_in()
    with django_assert_max_num_queries(12):
        assert desk.get(url(model, "changelist")).status_code == 200


def test_staff_without_permission_see_none_of_it(db):
    browser = signed_in(get_user_model().objects.create_user("hana", "h@example.com", "pw", is_staff=True))
    for model in ("userpool", "userpoolclient", "pooluser", "accesskey"):
        assert browser.get(url(model, "changelist")).status_code == 403


@pytest.mark.parametrize("model", ["userpool", "userpoolclient", "pooluser", "accesskey"])
def test_a_list_that_is_asked_for_nonsense_says_so(desk, model):
    large = "9" * 30
    nonsense = [f"id__in={large}", f"id__exact={large}", f"pool__id__exact={large}", "user=maria", "id__in=x", "pool=x"]
    for query in nonsense:
        assert desk.get(f"{url(model, 'changelist')}?{query}").status_code in (200, 302, 400), query
