"""Signing in and out: the wrong password, the rest, the second step, sessions."""

import logging
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.apps import apps
from django.test import Client

from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import SignInCount, User
from drivercrm.core import clock
from drivercrm.core.sealing import is_sealed, unseal
from drivercrm.journal.models import Entry
from tests.factories import make_user

pytestmark = pytest.mark.django_db

PASSWORD = "a long password"
WRONG = "The email or the password is wrong."


def sign_in(client: Client, email: str, password: str = PASSWORD, address: str = "10.4.0.9") -> Any:
    return client.post("/sign-in/", {"login": email, "password": password}, REMOTE_ADDR=address)


def said(response: Any) -> str:
    return " ".join(response.context["form"].non_field_errors())


def test_the_right_password_opens_today_in_a_new_session(client: Client) -> None:
    user = make_user(Role.VIEWER)
    client.get("/sign-in/")
    client.session["planted"] = True

    response = sign_in(client, user.email.upper())

    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(user.pk)
    cookie = response.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_the_session_key_changes_at_sign_in(client: Client) -> None:
    user = make_user()
    session = client.session
    session["theme"] = "dark"
    session.save()
    before = session.session_key

    sign_in(client, user.email)

    assert client.session.session_key != before


def test_a_wrong_password_an_unknown_mail_and_a_closed_account_read_the_same(client: Client) -> None:
    user = make_user()
    make_user(email="off@umzila.example", is_active=False)

    answers = [
        sign_in(client, user.email, "wrong"),
        sign_in(client, "nobody@umzila.example"),
        sign_in(client, "off@umzila.example"),
    ]

    assert [said(answer) for answer in answers] == [WRONG] * 3
    assert [answer.status_code for answer in answers] == [200] * 3


def test_after_five_wrong_passwords_the_right_one_is_refused_for_a_while(client: Client) -> None:
    user = make_user()

    answers = [said(sign_in(client, user.email, "wrong")) for _ in range(5)]
    locked = sign_in(client, user.email)

    until = clock.now() + timedelta(minutes=15)
    assert answers == [WRONG] * 5
    assert said(locked).startswith("Too many wrong passwords. Sign-in rests until ")
    assert f"{until.astimezone(clock.zone()):%H:}" in said(locked) or until.minute < 1
    assert "_auth_user_id" not in client.session
    assert [entry.data for entry in Entry.objects.filter(name="team.locked_out")] == [
        {"user_id": str(user.pk)}
    ]


def test_a_mail_that_nobody_has_rests_just_the_same(client: Client) -> None:
    make_user()

    for _ in range(5):
        sign_in(client, "nobody@umzila.example")

    assert said(sign_in(client, "nobody@umzila.example")).startswith("Too many wrong passwords.")
    assert Entry.objects.count() == 0


def test_a_rest_holds_for_one_mail_and_one_address_only(client: Client) -> None:
    user, other = make_user(), make_user()
    for _ in range(6):
        sign_in(client, user.email, "wrong")

    assert sign_in(Client(), other.email).status_code == 302
    assert sign_in(Client(), user.email, address="10.4.0.10").status_code == 302


def test_after_the_rest_the_right_password_works(client: Client) -> None:
    user = make_user()
    for _ in range(6):
        sign_in(client, user.email, "wrong")
    SignInCount.objects.update(ends_at=clock.now())

    assert sign_in(client, user.email).status_code == 302


def test_a_right_password_forgets_the_wrong_ones_before_it(client: Client) -> None:
    user = make_user()
    for _ in range(3):
        for _ in range(4):
            sign_in(client, user.email, "wrong")
        assert sign_in(client, user.email).status_code == 302
        client.logout()


def test_guesses_from_many_addresses_rest_the_mail_in_the_end(client: Client) -> None:
    user = make_user()
    for number in range(50):
        sign_in(client, user.email, "wrong", address=f"10.5.0.{number}")

    assert said(sign_in(client, user.email, address="10.6.0.1")).startswith("Too many wrong passwords.")


def test_the_counts_hold_no_address_and_old_ones_go(client: Client) -> None:
    user = make_user()
    sign_in(client, user.email, "wrong")
    SignInCount.objects.update(ends_at=clock.now() - timedelta(days=2))

    sign_in(client, "somebody@umzila.example", "wrong", address="10.4.0.99")

    keys = list(SignInCount.objects.values_list("key", flat=True))
    assert len(keys) == 3
    assert all(len(key) == 64 for key in keys)


def test_neither_passwords_nor_mails_are_logged(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    user = make_user(email="nandi@umzila.example")
    caplog.set_level(logging.DEBUG)

    sign_in(client, user.email, "wrong but unmistakable")
    sign_in(client, user.email)

    assert "unmistakable" not in caplog.text
    assert PASSWORD not in caplog.text
    assert "nandi@" not in caplog.text


def test_somebody_is_sent_back_to_the_page_they_wanted_and_nowhere_else(client: Client) -> None:
    user = make_user()
    data = {"login": user.email, "password": PASSWORD}

    wanted = client.post("/sign-in/", {**data, "next": "/profile/"})
    client.logout()
    elsewhere = client.post("/sign-in/", {**data, "next": "https://evil.example/"})

    assert (wanted["Location"], elsewhere["Location"]) == ("/profile/", "/")


def test_signing_out_takes_a_post(client: Client) -> None:
    client.force_login(make_user())

    asked = client.get("/sign-out/")
    still_in = client.get("/profile/").status_code
    client.post("/sign-out/")

    assert (asked.status_code, still_in) == (200, 200)
    assert client.get("/profile/").status_code == 302


def test_there_is_no_open_sign_up(client: Client) -> None:
    make_user()

    assert [
        client.get(path).status_code for path in ("/signup/", "/accounts/signup/", "/sign-in/signup/")
    ] == [404] * 3


# The second step


def code_of(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


def switch_on(client: Client, user: User) -> str:
    """Goes through the pages as a person does; returns the secret."""
    client.force_login(user)
    asked = client.get("/profile/two-step/app/")
    assert asked["Location"].startswith("/profile/confirmation/")
    client.post(asked["Location"], {"password": PASSWORD, "next": "/profile/two-step/app/"})
    secret = client.get("/profile/two-step/app/").context["form"].secret
    done = client.post("/profile/two-step/app/", {"code": code_of(secret)})
    assert done["Location"] == "/profile/two-step/codes/"
    return str(secret)


@pytest.mark.django_db(transaction=True)
def test_two_step_sign_in_asks_for_a_code(client: Client) -> None:
    user = make_user()
    secret = switch_on(client, user)
    client.logout()

    first = sign_in(client, user.email)
    before = client.get("/profile/")
    wrong = client.post("/sign-in/code/", {"code": "000000"})
    done = client.post("/sign-in/code/", {"code": code_of(secret)})

    assert first["Location"] == "/sign-in/code/"
    assert before.status_code == 302
    assert "The code is wrong or has run out." in wrong.content.decode()
    assert done["Location"] == "/"
    assert client.get("/profile/").status_code == 200
    assert [entry.data["to"] for entry in Entry.objects.filter(name="team.two_step_changed")] == ["on"]


@pytest.mark.django_db(transaction=True)
def test_a_recovery_code_signs_in_once(client: Client) -> None:
    user = make_user()
    switch_on(client, user)
    codes = client.get("/profile/two-step/codes/").context["unused_codes"]
    file = client.get("/profile/two-step/codes/file/")
    client.logout()

    sign_in(client, user.email)
    first = client.post("/sign-in/code/", {"code": codes[0]})
    client.logout()
    sign_in(client, user.email)
    second = client.post("/sign-in/code/", {"code": codes[0]})

    assert codes[0] in file.content.decode()
    assert (first.status_code, second.status_code) == (302, 200)


def stored() -> dict[str, str]:
    """What the database holds of each secret."""
    return {
        row.type: row.data.get("secret") or row.data["seed"] for row in Authenticator.objects.order_by("pk")
    }


@pytest.mark.django_db(transaction=True)
def test_the_database_holds_no_secret_in_clear(client: Client) -> None:
    secret = switch_on(client, make_user())

    kept = stored()

    assert sorted(kept) == ["recovery_codes", "totp"]
    assert secret not in kept["totp"]
    assert unseal(kept["totp"]) == secret
    assert all(is_sealed(text) for text in kept.values())


@pytest.mark.django_db(transaction=True)
def test_a_code_signs_in_after_the_key_was_replaced_but_not_without_it(client: Client, settings: Any) -> None:
    user = make_user()
    settings.ENCRYPTION_KEYS = ["the first key of this installation"]
    secret = switch_on(client, user)
    client.logout()
    settings.ENCRYPTION_KEYS = ["another key of this installation"]
    sign_in(client, user.email)

    lost = client.post("/sign-in/code/", {"code": code_of(secret)})
    stays_out = "_auth_user_id" not in client.session
    empty = client.post("/sign-in/code/", {"code": code_of("")})

    assert (lost.status_code, empty.status_code, stays_out) == (409, 409, True)
    assert "the encryption key has changed" in lost.content.decode()
    assert "_auth_user_id" not in client.session

    settings.ENCRYPTION_KEYS = [*settings.ENCRYPTION_KEYS, "the first key of this installation"]
    assert client.post("/sign-in/code/", {"code": code_of(secret)})["Location"] == "/"


def test_secrets_that_were_in_clear_are_sealed_by_the_migration_and_back() -> None:
    migration = import_module("drivercrm.accounts.migrations.0007_sealed_two_step")
    migration.to_sealed(apps, None)  # nothing is there: nothing happens
    user = make_user()
    clear = {"totp": {"secret": "JBSWY3DPEHPK3PXP"}, "recovery_codes": {"seed": "ab" * 40, "used_mask": 5}}
    for kind, data in clear.items():
        Authenticator.objects.create(user=user, type=kind, data=data)

    migration.to_sealed(apps, None)
    once = stored()
    migration.to_sealed(apps, None)
    twice = stored()

    assert once == twice
    assert {kind: unseal(text) for kind, text in once.items()} == {
        "totp": "JBSWY3DPEHPK3PXP",
        "recovery_codes": "ab" * 40,
    }
    assert Authenticator.objects.get(type="recovery_codes").data["used_mask"] == 5

    migration.to_clear(apps, None)
    assert {row.type: row.data for row in Authenticator.objects.all()} == clear


@pytest.mark.django_db(transaction=True)
def test_codes_are_not_guessed_for_ever(client: Client) -> None:
    user = make_user()
    secret = switch_on(client, user)
    client.logout()
    sign_in(client, user.email)
    for _ in range(5):
        client.post("/sign-in/code/", {"code": "000000"})

    locked = client.post("/sign-in/code/", {"code": code_of(secret)})

    assert locked.status_code == 200
    assert "Too many wrong tries" in locked.content.decode()
    assert "_auth_user_id" not in client.session


@pytest.mark.django_db(transaction=True)
def test_two_step_is_switched_off_again_and_by_an_admin(client: Client) -> None:
    user, admin = make_user(), make_user()
    switch_on(client, user)
    client.post("/profile/two-step/end/")
    after_own = Authenticator.objects.count()
    switch_on(Client(), user)
    client.force_login(admin)

    client.post(f"/settings/team/{user.pk}/two-step/")

    assert (after_own, Authenticator.objects.count()) == (0, 0)
    assert [
        entry.data["to"] for entry in Entry.objects.filter(name="team.two_step_changed").order_by("id")
    ] == [
        "on",
        "off",
        "on",
        "off",
    ]
