"""A POST that is sent again has one effect and one answer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection

from drivercrm.accounts import workflow as accounts
from drivercrm.accounts.models import IdempotencyKey
from drivercrm.config import idempotency
from drivercrm.core import clock
from drivercrm.drivers.models import Driver
from drivercrm.journal.models import Entry
from tests.api.conftest import Api, problem

BODY = {"name": "Sipho Dlamini", "phone": "0821234567"}


def send(api: Api, key: str = "one", body: dict[str, str] = BODY) -> tuple[int, str]:
    response = api.post("/drivers", body, Idempotency_Key=key)
    return response.status_code, response.content.decode()


def test_the_same_request_again_gets_the_same_answer(api: Api) -> None:
    first = api.post("/drivers", BODY, Idempotency_Key="one")
    again = api.post("/drivers", BODY, Idempotency_Key="one")

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert (again["Location"], again["ETag"]) == (first["Location"], first["ETag"])
    assert again["Idempotency-Replayed"] == "true"
    assert Driver.objects.count() == 1


def test_the_key_of_another_request_is_refused(api: Api) -> None:
    send(api)

    other = api.post("/drivers", {"name": "Zola", "phone": "0829999999"}, Idempotency_Key="one")
    assert problem(other) == (422, "key_used", "Idempotency-Key")
    elsewhere = api.post("/follow-ups", BODY, Idempotency_Key="one")
    assert problem(elsewhere) == (422, "key_used", "Idempotency-Key")
    assert Driver.objects.count() == 1


def test_keys_of_two_tokens_are_two_keys(api_as: Callable[..., Api]) -> None:
    assert send(api_as())[0] == 201
    assert send(api_as())[0] == 409  # the number is taken: the second request ran


def test_a_refused_request_leaves_its_key_free(api: Api) -> None:
    assert send(api, body={"name": "Zola", "phone": "12"})[0] == 422
    assert IdempotencyKey.objects.count() == 0
    assert send(api)[0] == 201


def test_a_role_that_may_not_leaves_no_key(api_as: Callable[..., Api]) -> None:
    assert send(api_as("viewer"))[0] == 403
    assert IdempotencyKey.objects.count() == 0


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a\tb"])
def test_a_key_that_is_none_is_refused(api: Api, key: str) -> None:
    assert problem(api.post("/drivers", BODY, Idempotency_Key=key)) == (422, "bad_key", "Idempotency-Key")


@pytest.mark.django_db(transaction=True)
def test_a_crash_after_the_effect_leaves_nothing_half(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        """What no `except Exception` stops, as a killed process would not be stopped."""

    def die(*args: object, **words: object) -> None:
        raise Killed

    before = Entry.objects.count()
    with monkeypatch.context() as broken, pytest.raises(Killed):
        broken.setattr(IdempotencyKey, "save", _saves_once_then(die))
        send(api)

    assert (Driver.objects.count(), IdempotencyKey.objects.count()) == (0, 0)
    assert Entry.objects.count() == before
    assert send(api)[0] == 201


def _saves_once_then(die: Callable[..., None]) -> Callable[..., None]:
    """The first save is the claim, the second would have kept the answer."""
    save, calls = IdempotencyKey.save, []

    def once(row: IdempotencyKey, *args: object, **words: object) -> None:
        calls.append(row)
        return save(row, *args, **words) if len(calls) == 1 else die()  # type: ignore[arg-type]

    return once


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_runs_and_all_get_its_answer(api: Api) -> None:
    def one(_: int) -> tuple[int, str]:
        try:
            return send(Api(api.secret))
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(one, range(12)))

    assert {status for status, _ in answers} == {201}
    assert len({body for _, body in answers}) == 1
    assert Driver.objects.count() == 1
    assert Entry.objects.filter(name="driver.created").count() == 1


def test_a_key_is_forgotten_after_a_day(api: Api) -> None:
    send(api)
    old = clock.now() - timedelta(hours=25)
    IdempotencyKey.objects.update(created_at=old)

    assert send(api)[0] == 409  # it runs again, and the number is taken
    IdempotencyKey.objects.update(created_at=old)
    assert accounts.forget_answers() == 0  # the refused one left none
    send(api, "two", {"name": "Zola", "phone": "0829999999"})
    IdempotencyKey.objects.update(created_at=old)
    assert accounts.forget_answers() == 1
    assert idempotency.LONGEST == 255
