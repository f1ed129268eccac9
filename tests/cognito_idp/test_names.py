"""What a name tells before the password is proved, and whom it means."""

import uuid

import pytest
from django.contrib.auth import get_user_model

from tests.cognito_idp.factories import make_client
from tests.cognito_idp.wire import App, Refused
from trusted_devices.cognito_idp import accounts, checks
from trusted_devices.cognito_idp.models import FailedAttempts, PoolUser, UserPool, UserPoolClient
from trusted_devices.crypto.srp import ClientSession

INCORRECT = "NotAuthorizedException: Incorrect username or password\\."
ADDRESS = "maria@example.com"


@pytest.fixture
def aliases(pool):
    """A pool that takes addresses for signing in."""
    UserPool.objects.update(email_alias=True)
    pool.refresh_from_db()
    return pool


@pytest.fixture
def tom(other_user):
    """Another user, whose address is not known here."""
    get_user_model().objects.filter(pk=other_user.pk).update(email="")
    other_user.refresh_from_db()
    return other_user


def keep(pool, user, password="correct horse"):
    accounts.keep_verifier(accounts.get_pool_user(pool, user), password)


def started(app, username):
    session = ClientSession.start()
    app.username = username
    answer = app.initiate("USER_SRP_AUTH", USERNAME=username, SRP_A=session.srp_a)
    assert answer.keys() == {"ChallengeName", "ChallengeParameters"}
    return session, answer["ChallengeParameters"]


def challenge(app, username):
    return started(app, username)[1]


def shape(parameters):
    """What of a challenge may tell one user from another without knowing the password."""
    return {
        "lengths": {name: len(text) for name, text in parameters.items() if name not in ("SALT", "SRP_B")},
        "same": parameters["USERNAME"] == parameters["USER_ID_FOR_SRP"],
    }


@pytest.mark.parametrize("typed", ["maria", ADDRESS])
@pytest.mark.parametrize("takes_addresses", [False, True])
def test_a_challenge_is_the_same_for_somebody_and_nobody(app, pool, user, typed, takes_addresses):
    UserPool.objects.update(email_alias=takes_addresses)
    pool.refresh_from_db()
    unseen = challenge(app, typed)
    PoolUser.objects.create(pk=2**40, pool=pool, user=user)
    seen = challenge(app, typed)
    keep(pool, user)
    kept = challenge(app, typed)
    user.delete()
    gone = challenge(app, typed)
    assert shape(unseen) == shape(seen) == shape(kept) == shape(gone)
    assert unseen["SALT"] == seen["SALT"] == kept["SALT"]
    if takes_addresses and typed == ADDRESS:
        return
    assert gone["SALT"] == kept["SALT"]
    assert {each["USERNAME"] for each in (unseen, seen, kept, gone)} == {typed}


SPELLINGS = ["stra\u00dfe@example.com", "STRA\u00dfE@Example.com", "STRASSE@example.com", "stra\u1e9ee@example.com"]
MORE_SPELLINGS = ["Mari\u00e1@example.com", "maria@example.com ", "\u212aelvin@example.com", "\u0130@example.com"]


def test_no_two_spellings_of_an_address_tell_whether_somebody_has_it(app, aliases, user):
    """What the database takes for the same letter is not what made-up names go by."""

    def alike():
        names = [challenge(app, typed)["USERNAME"] for typed in (*SPELLINGS, *MORE_SPELLINGS, ADDRESS, ADDRESS.upper())]
        return [names.index(name) for name in names]

    get_user_model().objects.update(email="")
    nobody = alike()
    for field in ("email", "username"):
        for address in (SPELLINGS[0], ADDRESS, "kelvin@example.com", "i@example.com"):
            get_user_model().objects.filter(pk=user.pk).update(**{field: address})
            assert alike() == nobody, (field, address)


def test_salts_and_made_up_names_outlast_the_secret_key(app, aliases, srp_user, settings):
    keep(aliases, srp_user)
    names = ("maria", "nobody", ADDRESS, "nobody@example.com")
    before = {name: challenge(app, name) for name in names}
    settings.SECRET_KEY = "another-key-" + "y" * 40
    for name, parameters in before.items():
        again = challenge(app, name)
        assert (again["SALT"], again["USERNAME"]) == (parameters["SALT"], parameters["USERNAME"])
    elsewhere = UserPool.objects.create(name="other", email_alias=True)
    app.client = make_client(elsewhere)
    for name, parameters in before.items():
        assert challenge(app, name)["SALT"] != parameters["SALT"]


def test_an_address_says_nothing_of_the_user_behind_it(app, aliases, srp_user, tom):
    keep(aliases, srp_user)
    pool_user = PoolUser.objects.get(user=srp_user)
    session, parameters = started(app, ADDRESS)
    name = parameters["USERNAME"]
    assert uuid.UUID(name).version == 4
    assert name not in (str(pool_user.sub), "maria")
    assert challenge(app, "MARIA@example.com")["USERNAME"] == name
    assert challenge(app, "maria")["USERNAME"] == "maria"
    nobody = challenge(app, "nobody@example.com")["USERNAME"]
    assert uuid.UUID(nobody).version == 4
    assert challenge(app, "NOBODY@example.com")["USERNAME"] == nobody
    srp_user.email = "mary@example.com"
    srp_user.save()
    assert challenge(app, "mary@example.com")["USERNAME"] == name, "the verifier goes on being good"
    app.username = "tom"
    with pytest.raises(Refused, match=INCORRECT):
        app.respond("PASSWORD_VERIFIER", **app.claim(session, parameters))


@pytest.mark.parametrize("goes_on_as", ["typed", "challenged", "user name"])
def test_a_sign_in_by_an_address_goes_through_all_its_steps(app, aliases, user, totp, goes_on_as):
    keep(aliases, user)

    def first_factor(**key):
        session, parameters = started(app, ADDRESS)
        app.username = {"typed": ADDRESS, "challenged": parameters["USERNAME"], "user name": "maria"}[goes_on_as]
        return app.respond("PASSWORD_VERIFIER", **app.claim(session, parameters), **key)

    app.tokens = app.answer_mfa(first_factor(), totp)["AuthenticationResult"]
    app.confirm()
    app.set_status("remembered")
    assert "AuthenticationResult" in app.prove_device(first_factor(DEVICE_KEY=app.device_key))
    assert app.wire.call("GetUser", AccessToken=app.access_token)["Username"] == "maria"


def test_where_a_client_may_tell_a_sign_in_by_an_address_says_the_name(app, aliases, user):
    UserPoolClient.objects.update(prevent_user_existence_errors=False)
    keep(aliases, user)
    session, parameters = started(app, ADDRESS)
    assert parameters["USERNAME"] == parameters["USER_ID_FOR_SRP"] == "maria"
    assert "AuthenticationResult" in app.respond("PASSWORD_VERIFIER", **app.claim(session, parameters))


def test_a_challenge_makes_no_rows_and_asks_as_much_for_anybody(app, aliases, user, django_assert_num_queries):
    get_user_model().objects.create_user("tom@example.com", "", "battery staple")
    PoolUser.objects.all().delete()
    for typed in ("maria", "nobody", ADDRESS, "tom@example.com", "nobody@example.com"):
        with django_assert_num_queries(3):
            challenge(app, typed)
    assert not PoolUser.objects.exists()


# A name that is another user's address


def sign_ins(app, username, password):
    """Both ways of signing in."""
    app = App(app.wire, app.client, username, password)
    return [app.password_sign_in, app.srp_sign_in]


def test_a_name_that_is_somebodys_address_lets_in_neither(app, aliases, user, tom):
    for spelling in (ADDRESS, "Maria@Example.com"):
        get_user_model().objects.filter(pk=tom.pk).update(username=spelling)
        tom.refresh_from_db()
        keep(aliases, user)
        keep(aliases, tom, "battery staple")
        for password in ("correct horse", "battery staple"):
            FailedAttempts.objects.all().delete()
            for sign_in in sign_ins(app, spelling, password):
                with pytest.raises(Refused, match=INCORRECT):
                    sign_in()
        assert "AuthenticationResult" in App(app.wire, app.client, "maria", "correct horse").srp_sign_in()
    UserPool.objects.update(email_alias=False)
    assert "AuthenticationResult" in App(app.wire, app.client, spelling, "battery staple").password_sign_in()


def test_a_name_that_comes_to_mean_two_meanwhile_ends_the_sign_in(app, aliases, user, tom):
    keep(aliases, user)
    session, parameters = started(app, ADDRESS)
    get_user_model().objects.filter(pk=tom.pk).update(username=ADDRESS)
    with pytest.raises(Refused, match=INCORRECT):
        app.respond("PASSWORD_VERIFIER", **app.claim(session, parameters))


def test_staff_mean_nobody_by_a_text_that_means_two(admin, aliases, user, tom):
    ids = {"UserPoolId": aliases.pool_id}
    sub = str(accounts.get_pool_user(aliases, user).sub)
    for taken in (ADDRESS, sub):
        assert admin.call("AdminGetUser", **ids, Username=taken)["Username"] == "maria"
        get_user_model().objects.filter(pk=tom.pk).update(username=taken)
        with pytest.raises(Refused, match="UserNotFoundException"):
            admin.call("AdminGetUser", **ids, Username=taken)
    assert admin.call("AdminGetUser", **ids, Username="maria")["Username"] == "maria"


def test_a_user_whose_name_is_their_own_address_is_one_user(app, aliases, user):
    get_user_model().objects.update(username=ADDRESS)
    user.refresh_from_db()
    keep(aliases, user)
    for sign_in in sign_ins(app, ADDRESS, "correct horse"):
        assert "AuthenticationResult" in sign_in()


def test_a_backend_that_makes_users_goes_on_making_them(app, aliases, settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Directory"]
    app = App(app.wire, app.client, "Ada", "from the directory")
    assert "AuthenticationResult" in app.password_sign_in()


class Directory:
    """Knows people of whom the site does not, yet, and spells their names in its own way."""

    def authenticate(self, request, username, password):
        return get_user_model().objects.get_or_create(username=username.lower())[0]


def test_names_that_are_other_users_addresses_are_reported(aliases, user, tom):
    def reported():
        return [message.msg for message in checks.check_names(databases=["default"])]

    get_user_model().objects.filter(pk=user.pk).update(username=ADDRESS)
    assert reported() == []
    get_user_model().objects.filter(pk=tom.pk).update(email="MARIA@example.com")
    assert f"primary keys {user.pk}." in reported()[0]
    get_user_model().objects.filter(pk=user.pk).update(username="maria")
    get_user_model().objects.filter(pk=tom.pk).update(email="", username="MARIA@example.com")
    assert f"primary keys {tom.pk}." in reported()[0]
    assert checks.check_names(databases=["other"]) == checks.check_names() == []
    UserPool.objects.update(email_alias=False)
    assert reported() == []
