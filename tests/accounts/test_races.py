"""What two people can do at the same moment, in processes of their own."""

import time

import pytest

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.enums import Role
from drivercrm.accounts.models import ApiToken, Invitation, SignInCount, User
from drivercrm.journal.models import Entry
from tests.factories import actor_of, make_user
from tests.processes import run_together

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

TRY = """
from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.models import Invitation, User
from drivercrm.core.actors import Actor
from drivercrm.core.errors import Refused
try:
    {call}
except Refused as refusal:
    print(refusal.code)
else:
    print("done")
"""


def at_once(*calls: str) -> list[str]:
    return sorted(run_together(*(TRY.format(call=call) for call in calls), at=time.time() + 3))


def test_two_first_runs_make_one_admin() -> None:
    call = (
        'accounts.make_first_admin(organisation="O{n}", name="Admin {n}", email="admin{n}@umzila.example",'
        ' password="kite lantern orbit")'
    )

    said = at_once(*(call.replace("{n}", str(n)) for n in range(3)))

    assert said == ["already_started", "already_started", "done"]
    assert (User.objects.count(), Entry.objects.filter(name="organisation.started").count()) == (1, 1)


def test_two_acceptances_of_one_invitation_make_one_member() -> None:
    _, secret = accounts.invite("a@umzila.example", Role.SUPPORT, by=actor_of(make_user()))
    call = f'accounts.accept("{secret}", name="Anele Jacobs", password="kite lantern orbit")'

    said = at_once(call, call)

    assert said == ["closed_invitation", "done"]
    assert User.objects.filter(email="a@umzila.example").count() == 1
    assert Entry.objects.filter(name="team.joined").count() == 1


def test_two_admins_who_demote_each_other_leave_one() -> None:
    one, other = make_user(), make_user()
    call = 'accounts.change_role(User.objects.get(pk="{pk}"), "viewer", by=Actor("user", "{by}"))'

    said = at_once(call.format(pk=one.pk, by=other.pk), call.format(pk=other.pk, by=one.pk))

    assert said == ["done", "last_admin"]
    assert User.objects.filter(role=Role.ADMIN).count() == 1


def test_two_invitations_of_one_mail_make_one_link() -> None:
    admin = make_user()
    call = f'accounts.invite("a@umzila.example", "viewer", by=Actor("user", "{admin.pk}"))'

    assert at_once(call, call) == ["done", "invited"]
    assert (Invitation.objects.count(), ApiToken.objects.count()) == (1, 0)


def test_wrong_passwords_are_counted_over_every_process() -> None:
    """Four processes guess four times each: five of sixteen guesses are looked at."""
    guess = """
    guessed = 0
    for _ in range(4):
        try:
            accounts.begin_attempt("nandi@umzila.example", "10.4.0.9")
        except Refused:
            continue
        guessed += 1
    print(guessed)"""

    said = at_once(guess, guess, guess, guess)

    assert sum(int(line.split()[0]) for line in said) == 5
    assert sorted(SignInCount.objects.values_list("attempts", flat=True)) == [5, 5, 5]


SIGN_IN = """
import threading
from django.db import connection
answers = []
def sign_in():
    for _ in range(12):
        accounts.begin_attempt("nandi@umzila.example", "10.4.0.9")
        accounts.attempt_succeeded("nandi@umzila.example", "10.4.0.9")
        answers.append("in")
    connection.close()
crowd = [threading.Thread(target=sign_in) for _ in range(2)]
for one in crowd: one.start()
for one in crowd: one.join()
print(len(answers))"""


def test_right_passwords_of_one_person_at_once_all_sign_in() -> None:
    """Two processes with two threads each, twelve sign-ins one after another: none fails, none is counted."""
    said = at_once(SIGN_IN.replace("\n", "\n    "), SIGN_IN.replace("\n", "\n    "))

    assert [line.split()[0] for line in said] == ["24", "24"]
    assert set(SignInCount.objects.values_list("attempts", flat=True)) == {0}


def test_a_count_that_is_forgotten_meanwhile_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = SignInCount.objects.get_or_create
    forgotten: list[object] = []

    def forget_once(**wanted: object) -> object:
        made = found(**wanted)
        if not forgotten:
            forgotten.append(SignInCount.objects.all().delete())
        return made

    monkeypatch.setattr(SignInCount.objects, "get_or_create", forget_once)

    accounts.begin_attempt("nandi@umzila.example", "10.4.0.9")

    assert len(forgotten) == 1
    assert list(SignInCount.objects.values_list("attempts", flat=True)) == [1, 1, 1]
