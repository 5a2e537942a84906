"""The pages of accounts, as people use them."""

from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import ApiToken, Invitation, Organisation, User
from drivercrm.accounts.permissions import MAY, SAYS, Can
from drivercrm.journal.models import Entry
from tests.factories import NANDI, actor_of, make_user

pytestmark = pytest.mark.django_db

PASSWORD = "kite lantern orbit"
FIRST = {
    "organisation": "Umzila Rides",
    "name": "Lwazi Sithole",
    "email": "lwazi@umzila.example",
    "password": PASSWORD,
}


@pytest.fixture
def admin(client: Client) -> User:
    user = make_user(Role.ADMIN, name="Lwazi Sithole")
    client.force_login(user)
    return user


def test_an_empty_application_leads_to_the_first_run(client: Client) -> None:
    assert client.get("/profile/")["Location"] == "/first-run/"
    assert client.get("/sign-in/")["Location"] == "/first-run/"
    assert client.get("/first-run/").status_code == 200


def test_the_first_run_signs_in_and_is_gone_then(client: Client) -> None:
    response = client.post("/first-run/", FIRST)

    again = Client().post("/first-run/", {**FIRST, "email": "other@umzila.example"})
    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.get("/profile/").status_code == 200
    assert again["Location"] == "/sign-in/"
    assert User.objects.count() == 1


def test_a_weak_password_is_said_at_its_field(client: Client) -> None:
    response = client.post("/first-run/", {**FIRST, "password": "short"})

    assert response.status_code == 422
    assert response.context["form"].errors["password"] == [
        "This password is too short. It must contain at least 10 characters."
    ]


def test_an_invitation_link_shows_once_and_lets_somebody_in(client: Client, admin: User) -> None:
    response = client.post(
        "/settings/team/invitations/", {"email": "kabelo@umzila.example", "role": "support"}
    )
    link = response.context["link"]
    later = client.get("/settings/team/").content.decode()
    guest = Client()
    page = guest.get(link)
    joined = guest.post(link, {"name": "Kabelo Maseko", "password": PASSWORD})

    assert response.status_code == 200
    assert link in response.content.decode()
    assert link.split("/")[-2] not in later
    assert "Lwazi Sithole invited kabelo@umzila.example as Support." in page.content.decode()
    assert joined["Location"] == "/"
    assert User.objects.get(email="kabelo@umzila.example").role == "support"
    assert guest.get("/profile/").status_code == 200
    assert Client().get(link).status_code == 410


def test_a_second_press_on_invite_makes_no_second_link(client: Client, admin: User) -> None:
    data = {"email": "kabelo@umzila.example", "role": "support"}
    client.post("/settings/team/invitations/", data)

    again = client.post("/settings/team/invitations/", data)

    assert again.status_code == 422
    assert again.context["form"].errors["email"] == [
        "This email is invited already. Make a new link for it below."
    ]
    assert Invitation.objects.count() == 1


def test_an_invitation_is_renewed_and_taken_back(client: Client, admin: User) -> None:
    invitation, old = accounts.invite("kabelo@umzila.example", Role.SUPPORT, by=actor_of(admin))

    renewed = client.post(f"/settings/team/invitations/{invitation.pk}/link/").context["link"]
    works = Client().get(renewed).status_code
    client.post(f"/settings/team/invitations/{invitation.pk}/revocation/")

    assert (works, Client().get(f"/invitations/{old}/").status_code) == (200, 410)
    assert Client().get(renewed).status_code == 410


def test_an_invitation_is_not_for_somebody_signed_in(client: Client, admin: User) -> None:
    _, secret = accounts.invite("kabelo@umzila.example", Role.SUPPORT, by=actor_of(admin))

    assert client.get(f"/invitations/{secret}/").status_code == 409


def test_a_role_is_changed_in_place_and_a_refusal_shows_the_true_one(client: Client, admin: User) -> None:
    member = make_user(Role.VIEWER, name="Kabelo Maseko")

    changed = client.post(
        f"/settings/team/{member.pk}/role/", {"role": "finance"}, headers={"HX-Request": "true"}
    )
    refused = client.post(
        f"/settings/team/{admin.pk}/role/", {"role": "viewer"}, headers={"HX-Request": "true"}
    )

    assert 'value="finance" selected' in changed.content.decode()
    assert "Kabelo Maseko is now Finance." in changed.content.decode()
    assert 'value="admin" selected' in refused.content.decode()
    assert "Lwazi Sithole is the only admin." in refused.content.decode()


def test_the_row_after_a_change_equals_the_row_of_the_page(client: Client, admin: User) -> None:
    member = make_user(Role.VIEWER)

    swapped = client.post(
        f"/settings/team/{member.pk}/role/", {"role": "support"}, headers={"HX-Request": "true"}
    ).content.decode()

    row = without_tokens(swapped.split("</tr>")[0])
    assert row in without_tokens(client.get("/settings/team/").content.decode())


def without_tokens(html: str) -> str:
    parts = html.split('name="csrfmiddlewaretoken" value="')
    return parts[0] + "".join(part[64:] for part in parts[1:])


def test_a_member_is_switched_off_with_undo_and_a_word_about_their_tokens(
    client: Client, admin: User
) -> None:
    member = make_user(name="Kabelo Maseko")
    accounts.create_token("Sync", role=Role.VIEWER, by=actor_of(member))

    page = client.post(f"/settings/team/{member.pk}/deactivation/", follow=True).content.decode()
    client.post(f"/settings/team/{member.pk}/reactivation/")

    member.refresh_from_db()
    assert "Kabelo Maseko can no longer sign in." in page
    assert "Kabelo Maseko made an API token that still works." in page
    assert f'action="/settings/team/{member.pk}/reactivation/"' in page
    assert member.is_active


def test_the_role_matrix_is_the_table(client: Client, admin: User) -> None:
    matrix = client.get("/settings/team/").context["matrix"]

    assert matrix == [(SAYS[can], [role in MAY[can] for role in Role]) for can in SAYS]
    assert set(SAYS) == set(Can) == set(MAY)


def test_a_password_link_from_an_admin_sets_a_password(client: Client, admin: User) -> None:
    member = make_user(Role.VIEWER)
    link = client.post(f"/settings/team/{member.pk}/password-link/").context["link"]
    guest = Client()

    weak = guest.post(link, {"password": "short"})
    done = guest.post(link, {"password": PASSWORD})

    member.refresh_from_db()
    assert (weak.status_code, done["Location"], member.check_password(PASSWORD)) == (422, "/sign-in/", True)
    assert guest.get(link).status_code == 410


def token_data(**more: Any) -> dict[str, Any]:
    return {"name": "Sync", "role": "operations", "scopes": ["read_drivers"], "days": "90", **more}


def test_a_token_is_shown_once(client: Client, admin: User) -> None:
    made = client.post("/settings/tokens/", token_data())
    secret = made.context["secret"]
    repeated = client.post("/settings/tokens/", token_data())

    assert secret in made.content.decode()
    assert accounts.authenticate_token(secret) is not None
    assert secret not in client.get("/settings/tokens/").content.decode()
    assert "no-store" in made["Cache-Control"]
    assert (repeated.status_code, ApiToken.objects.count()) == (422, 1)


def test_a_token_needs_something_it_can_do_within_its_role(client: Client, admin: User) -> None:
    nothing = client.post("/settings/tokens/", token_data(scopes=[]))
    beyond = client.post("/settings/tokens/", token_data(scopes=["export"]))

    assert nothing.context["form"].errors["scopes"] == ["Tick at least one thing that the token can do."]
    assert beyond.context["form"].errors["scopes"] == ["The role operations does not include “export”."]
    assert ApiToken.objects.count() == 0


def test_a_token_is_revoked(client: Client, admin: User) -> None:
    token, secret = accounts.create_token("Sync", role=Role.VIEWER, by=NANDI)

    client.post(f"/settings/tokens/{token.pk}/revocation/")

    assert accounts.authenticate_token(secret) is None
    assert "Sync" not in client.get("/settings/tokens/").context["lines"]


def settings_data(client: Client, **more: Any) -> dict[str, Any]:
    page = client.get("/settings/organisation/")
    form, steps = page.context["form"], page.context["steps"]
    data = {name: "" if form[name].value() is None else form[name].value() for name in form.fields}
    data |= {f"steps-{name}": steps.management_form[name].value() for name in steps.management_form.fields}
    for step in steps.initial_forms:
        data |= {step["key"].html_name: step["key"].value(), step["label"].html_name: step["label"].value()}
        data |= {step["ORDER"].html_name: step["ORDER"].value(), step["required"].html_name: "on"}
    return data | more


def test_the_settings_are_saved_with_a_new_step_a_new_order_and_one_gone(client: Client, admin: User) -> None:
    data = settings_data(client, name="Umzila Rides", pilot_starts_on="2026-11-01", sign_up_goal="500")
    data |= {"steps-7-label": "Vehicle photo", "steps-7-ORDER": "1", "steps-7-required": "on"}
    data |= {"steps-6-DELETE": "on", "steps-0-ORDER": "9"}

    response = client.post("/settings/organisation/", data)

    saved = Organisation.current()
    keys = [step["key"] for step in saved.onboarding_steps]
    assert response["Location"] == "/settings/organisation/"
    assert (saved.name, saved.pilot_starts_on, saved.sign_up_goal) == ("Umzila Rides", date(2026, 11, 1), 500)
    assert keys == [
        "vehicle_photo",
        "pathpulse_account_created",
        "timorides_linked",
        "location_permission",
        "camera_permission",
        "app_tested",
        "app_installed",
    ]


def test_settings_that_somebody_else_changed_meanwhile_are_not_overwritten(
    client: Client, admin: User
) -> None:
    data = settings_data(client, name="Mine")
    accounts.save_organisation({"name": "Theirs"}, by=NANDI)

    response = client.post("/settings/organisation/", data)

    assert response.status_code == 422
    assert "Somebody changed these settings meanwhile." in response.content.decode()
    assert Organisation.current().name == "Theirs"


def test_the_profile_is_saved(client: Client) -> None:
    user = make_user(Role.VIEWER, name="Nandi Pilay")
    client.force_login(user)

    client.post("/profile/", {"name": "Nandi Pillay", "theme": "dark"})

    user.refresh_from_db()
    assert (user.name, user.theme, user.has_shortcuts) == ("Nandi Pillay", "dark", False)
    assert Entry.objects.get().data == {"user_id": str(user.pk), "fields": ["name", "theme", "has_shortcuts"]}


def test_the_light_switch_is_kept(client: Client) -> None:
    user = make_user(Role.VIEWER)
    client.force_login(user)

    quiet = client.post("/profile/theme/", {"theme": "dark"}, headers={"HX-Request": "true"})
    plain = client.post(
        "/profile/theme/", {"theme": "light"}, headers={"Referer": "http://testserver/drivers/"}
    )
    elsewhere = client.post(
        "/profile/theme/", {"theme": "light"}, headers={"Referer": "https://evil.example/"}
    )
    wrong = client.post("/profile/theme/", {"theme": "pink"})

    user.refresh_from_db()
    assert (quiet.status_code, plain["Location"]) == (204, "http://testserver/drivers/")
    assert (elsewhere["Location"], wrong.status_code, user.theme) == ("/profile/", 409, "light")


def test_a_new_password_needs_the_old_one_and_ends_other_sessions(client: Client) -> None:
    user = make_user(Role.VIEWER)
    client.force_login(user)
    other = Client()
    other.force_login(user)

    wrong = client.post("/profile/password/", {"old_password": "nope", "password": PASSWORD})
    done = client.post("/profile/password/", {"old_password": "a long password", "password": PASSWORD})

    user.refresh_from_db()
    assert wrong.context["password_form"].errors["old_password"] == ["The password is wrong."]
    assert (done["Location"], user.check_password(PASSWORD)) == ("/profile/", True)
    assert (client.get("/profile/").status_code, other.get("/profile/").status_code) == (200, 302)


def test_other_devices_are_signed_out(client: Client) -> None:
    user = make_user(Role.VIEWER)
    client.force_login(user)
    other = Client()
    other.force_login(user)

    client.post("/profile/sessions/")

    assert (client.get("/profile/").status_code, other.get("/profile/").status_code) == (200, 302)


def test_a_fragment_for_a_stranger_leads_to_sign_in_and_back_to_its_page(client: Client) -> None:
    make_user()

    response = client.get(
        "/profile/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/drivers/?q=a b"}
    )

    assert response.status_code == 401
    assert response["HX-Redirect"] == "/sign-in/?next=/drivers/%3Fq%3Da%20b"


def test_a_refused_page_says_so(client: Client) -> None:
    client.force_login(make_user(Role.VIEWER))

    response = client.get("/settings/team/")

    assert response.status_code == 403
    assert "Your role does not allow this. Ask an admin." in response.content.decode()


@pytest.mark.parametrize("path", ["/settings/team/", "/settings/tokens/"])
def test_the_lists_cost_the_same_with_one_row_and_with_three(client: Client, admin: User, path: str) -> None:
    def fill(number: int) -> None:
        make_user(Role.VIEWER)
        accounts.invite(f"guest{number}@umzila.example", Role.VIEWER, by=actor_of(admin))
        accounts.create_token(f"Token {number}", role=Role.VIEWER, by=actor_of(admin))

    counts = []
    for numbers in ([1], [2, 3]):
        for number in numbers:
            fill(number)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1]
