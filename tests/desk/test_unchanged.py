"""What is kept until the journal's next entry is never older than that entry."""

from collections.abc import Callable

import pytest
from django.test import RequestFactory

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.models import Organisation
from drivercrm.core.actors import automation
from drivercrm.desk import unchanged
from tests.factories import make_driver

pytestmark = pytest.mark.django_db


def asked(read: Callable[[], int]) -> int:
    """What a new request is given."""
    return unchanged.kept(RequestFactory().get("/"), "a-number", read)


def test_nothing_is_read_twice_while_nothing_happens() -> None:
    assert asked(lambda: 1) == 1
    assert asked(lambda: 2) == 1


def test_it_is_read_again_after_the_journals_next_entry() -> None:
    assert asked(lambda: 1) == 1
    make_driver("Sipho")
    assert asked(lambda: 2) == 2


def test_what_happens_while_it_is_read_makes_it_old() -> None:
    def read() -> int:
        make_driver("Sipho")
        return 1

    assert asked(read) == 1
    assert asked(lambda: 2) == 2


def test_nothing_and_none_are_kept_too() -> None:
    assert asked(lambda: 0) == 0
    assert asked(lambda: 5) == 0


def test_the_settings_on_a_page_are_those_of_the_last_change() -> None:
    request = RequestFactory().get
    before = unchanged.organisation(request("/")).name
    accounts.save_organisation({"name": "Timo Durban"}, by=automation("test"))

    assert before != "Timo Durban"
    assert unchanged.organisation(request("/")).name == "Timo Durban"
    assert Organisation.current().name == "Timo Durban"
