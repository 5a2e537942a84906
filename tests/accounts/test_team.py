"""Who is on the team: first run, invitations, roles, switching off and on."""

from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import Settings

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import INVITATION_DAYS, Invitation, Organisation, User, secret_hash
from drivercrm.core import clock
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
from drivercrm.journal.models import Change, Entry
from tests.factories import actor_of, make_user

pytestmark = pytest.mark.django_db

PASSWORD = "kite lantern orbit"
CLI = Actor("automation", "command-line", "cli")


def first_admin(**fields: str) -> User:
    values = {"organisation": "Umzila Rides", "name": "Lwazi Sithole", "email": "Lwazi@Umzila.example"}
    return accounts.make_first_admin(**{**values, "password": PASSWORD, **fields})


def test_first_run_makes_an_admin_and_names_the_organisation(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[1:]  # as in production, not the tests' quick one

    user = first_admin()

    entry = Entry.objects.get()
    assert (user.role, user.email, user.check_password(PASSWORD)) == ("admin", "lwazi@umzila.example", True)
    assert user.password.startswith("argon2")
    assert Organisation.current().name == "Umzila Rides"
    assert (entry.name, entry.actor, entry.data) == (
        "organisation.started",
        f"user:{user.pk}",
        {"user_id": str(user.pk)},
    )


def test_first_run_happens_once() -> None:
    first_admin()

    with pytest.raises(Refused) as refusal:
        first_admin(email="second@umzila.example")

    assert refusal.value.code == "already_started"
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"organisation": " "}, "no_organisation"),
        ({"name": "  "}, "no_name"),
        ({"email": "lwazi"}, "bad_email"),
        ({"password": "short"}, "weak_password"),
        ({"password": "password123"}, "weak_password"),
        ({"password": "lwazi@umzila.example"}, "weak_password"),
        ({"password": "Lwazi Sithole"}, "weak_password"),
    ],
)
def test_first_run_refuses_what_cannot_work(fields: dict[str, str], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        first_admin(**fields)

    assert refusal.value.code == code
    assert User.objects.count() == 0


def test_an_invitation_is_accepted_with_its_mail_and_role() -> None:
    admin = make_user(Role.ADMIN)
    invitation, secret = accounts.invite(" Kabelo@Umzila.example ", Role.SUPPORT, by=actor_of(admin))

    user = accounts.accept(secret, name=" Kabelo  Maseko", password=PASSWORD)

    invitation.refresh_from_db()
    assert (user.email, user.role, user.name) == ("kabelo@umzila.example", "support", "Kabelo Maseko")
    assert invitation.accepted_at is not None
    assert [entry.name for entry in Entry.objects.order_by("id")] == ["team.invited", "team.joined"]


def test_only_the_hash_of_an_invitation_is_kept() -> None:
    invitation, secret = accounts.invite("a@umzila.example", Role.VIEWER, by=actor_of(make_user()))

    assert invitation.secret_hash == secret_hash(secret)
    kept = repr(list(Invitation.objects.values())) + repr(list(Entry.objects.values()))
    assert secret not in kept + repr(list(Change.objects.values()))


def test_an_invitation_works_once() -> None:
    _, secret = accounts.invite("a@umzila.example", Role.VIEWER, by=actor_of(make_user()))
    accounts.accept(secret, name="Anele", password=PASSWORD)

    with pytest.raises(Refused) as refusal:
        accounts.accept(secret, name="Anele again", password=PASSWORD)

    assert refusal.value.sentence == "This invitation was used. Sign in with the password you chose."


def test_an_old_invitation_is_closed_until_it_gets_a_new_link() -> None:
    admin = actor_of(make_user())
    invitation, secret = accounts.invite("a@umzila.example", Role.VIEWER, by=admin)
    Invitation.objects.update(created_at=clock.now() - timedelta(days=INVITATION_DAYS, seconds=1))
    with pytest.raises(Refused) as too_old:
        accounts.accept(secret, name="Anele", password=PASSWORD)

    fresh = accounts.renew(invitation, by=admin)

    assert too_old.value.sentence.startswith("This invitation is older than seven days.")
    assert accounts.find(secret) is None
    assert accounts.accept(fresh, name="Anele", password=PASSWORD).name == "Anele"


def test_a_revoked_invitation_is_closed_for_good() -> None:
    admin = actor_of(make_user())
    invitation, secret = accounts.invite("a@umzila.example", Role.VIEWER, by=admin)

    accounts.revoke(invitation, by=admin)

    with pytest.raises(Refused, match="taken back"):
        accounts.accept(secret, name="Anele", password=PASSWORD)
    with pytest.raises(Refused, match="taken back"):
        accounts.renew(invitation, by=admin)


def test_a_member_or_somebody_invited_is_not_invited_again() -> None:
    admin = make_user()
    accounts.invite("a@umzila.example", Role.VIEWER, by=actor_of(admin))

    codes = []
    for email in (admin.email.upper(), "A@umzila.example"):
        with pytest.raises(Refused) as refusal:
            accounts.invite(email, Role.VIEWER, by=actor_of(admin))
        codes.append(refusal.value.code)

    assert codes == ["email_taken", "invited"]


def test_only_a_person_invites() -> None:
    with pytest.raises(Refused, match="Only a person"):
        accounts.invite("a@umzila.example", Role.VIEWER, by=Actor("token", "x", "api"))


def test_a_role_changes_and_the_journal_keeps_both() -> None:
    admin, member = make_user(), make_user(Role.VIEWER)

    accounts.change_role(member, Role.FINANCE, by=actor_of(admin))

    member.refresh_from_db()
    change = Change.objects.get()
    assert member.role == "finance"
    assert (change.field, change.before, change.after) == ("role", "viewer", "finance")


def test_the_same_role_is_no_news() -> None:
    member = make_user(Role.VIEWER)

    accounts.change_role(member, Role.VIEWER, by=CLI)

    assert Entry.objects.count() == 0


def test_the_last_admin_stays_an_admin_and_stays_on() -> None:
    admin, _ = make_user(), make_user(Role.MANAGER)
    gone = make_user()
    accounts.deactivate(gone, by=CLI)

    with pytest.raises(Refused) as demoted:
        accounts.change_role(admin, Role.VIEWER, by=actor_of(admin))
    with pytest.raises(Refused) as switched_off:
        accounts.deactivate(admin, by=CLI)

    admin.refresh_from_db()
    assert (demoted.value.code, switched_off.value.code) == ("last_admin", "last_admin")
    assert (admin.role, admin.is_active) == ("admin", True)


def test_nobody_switches_themselves_off() -> None:
    admin, _ = make_user(), make_user()

    with pytest.raises(Refused) as refusal:
        accounts.deactivate(admin, by=actor_of(admin))

    assert refusal.value.code == "yourself"


def test_switching_off_ends_every_session_for_good(client: Client) -> None:
    admin, member = make_user(), make_user(Role.OPERATIONS)
    client.force_login(member)
    assert client.get("/profile/").status_code == 200

    accounts.deactivate(member, by=actor_of(admin))
    while_off = client.get("/profile/")
    accounts.reactivate(member, by=actor_of(admin))
    after = client.get("/profile/")

    assert (while_off.status_code, after.status_code) == (302, 302)
    assert after["Location"] == "/sign-in/?next=/profile/"


def test_switching_off_and_demoting_take_open_invitations_back() -> None:
    admin, leaver, demoted = make_user(), make_user(), make_user()
    _, first = accounts.invite("a@umzila.example", Role.ADMIN, by=actor_of(leaver))
    _, second = accounts.invite("b@umzila.example", Role.ADMIN, by=actor_of(demoted))
    _, kept = accounts.invite("c@umzila.example", Role.ADMIN, by=actor_of(admin))

    accounts.deactivate(leaver, by=actor_of(admin))
    accounts.change_role(demoted, Role.VIEWER, by=actor_of(admin))

    open_ones = [accounts.why_closed(accounts.find(secret)) for secret in (first, second, kept)]
    assert open_ones == ["This invitation was taken back. Ask an admin for a new one."] * 2 + [""]


def test_switching_off_and_on_twice_is_refused() -> None:
    admin, member = make_user(), make_user(Role.VIEWER)
    with pytest.raises(Refused, match="can sign in already"):
        accounts.reactivate(member, by=actor_of(admin))
    accounts.deactivate(member, by=actor_of(admin))

    with pytest.raises(Refused, match="switched off already"):
        accounts.deactivate(member, by=actor_of(admin))


def test_the_command_line_makes_people_the_first_an_admin() -> None:
    with pytest.raises(Refused) as refusal:
        accounts.create_user("a@umzila.example", name="A", password=PASSWORD, role=Role.VIEWER, by=CLI)
    admin = accounts.create_user("a@umzila.example", name="A", password=PASSWORD, role=Role.ADMIN, by=CLI)
    viewer = accounts.create_user("b@umzila.example", name="B", password=PASSWORD, role=Role.VIEWER, by=CLI)

    assert refusal.value.code == "first_is_admin"
    assert [admin.role, viewer.role] == ["admin", "viewer"]
    with pytest.raises(Refused, match="is no role"):
        accounts.create_user("c@umzila.example", name="C", password=PASSWORD, role="boss", by=CLI)


def test_a_password_link_works_once_and_ends_sessions(client: Client) -> None:
    admin, member = make_user(), make_user(Role.VIEWER)
    client.force_login(member)
    secret = accounts.make_password_link(member, by=actor_of(admin))

    accounts.choose_password(secret, PASSWORD)

    member.refresh_from_db()
    assert member.check_password(PASSWORD)
    assert client.get("/profile/").status_code == 302
    assert accounts.owner_of_password_link(secret) is None
    with pytest.raises(Refused, match="does not work any more"):
        accounts.choose_password(secret, "another long one")
    assert secret.split(".")[-1] not in repr(list(Entry.objects.values()))


def test_a_password_link_dies_with_its_makers_time_as_an_admin() -> None:
    make_user()
    member = make_user(Role.VIEWER)
    demoted, gone, staying = make_user(), make_user(), make_user()
    links = {one: accounts.make_password_link(member, by=actor_of(one)) for one in (demoted, gone, staying)}
    from_the_command_line = accounts.make_password_link(member, by=CLI)

    accounts.change_role(demoted, Role.MANAGER, by=actor_of(staying))
    accounts.change_role(demoted, Role.ADMIN, by=actor_of(staying))
    accounts.deactivate(gone, by=actor_of(staying))
    switched_off = accounts.owner_of_password_link(links[gone])
    accounts.reactivate(gone, by=actor_of(staying))

    assert switched_off is None
    assert [accounts.owner_of_password_link(links[one]) for one in (demoted, gone, staying)] == [
        None,
        None,
        member,
    ]
    assert accounts.owner_of_password_link(from_the_command_line) == member


@pytest.mark.parametrize(
    "secret", ["", ".", "x.y", "x.y.z", "..", "////.aaa.b", "////.aaa", "MTIz.c1-2", "é.é", "a" * 500]
)
def test_a_made_up_password_link_opens_nothing(secret: str) -> None:
    make_user()

    assert accounts.owner_of_password_link(secret) is None


def test_no_password_link_for_somebody_switched_off() -> None:
    admin, member = make_user(), make_user(Role.VIEWER)
    secret = accounts.make_password_link(member, by=actor_of(admin))
    accounts.deactivate(member, by=actor_of(admin))

    assert accounts.owner_of_password_link(secret) is None
    with pytest.raises(Refused, match="is switched off"):
        accounts.make_password_link(member, by=actor_of(admin))
