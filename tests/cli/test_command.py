"""The command's words, its exit codes, and what it says when something is wrong."""

import json
from collections.abc import Callable

import pytest

from drivercrm.cli import COMMANDS
from tests.cli.conftest import PASSWORD, Place

WRONG = {
    "DRIVERCRM_TIME_ZONE": "Durban",
    "DATABASE_URL": "mysql://root@localhost/crm",
    "DRIVERCRM_SECRET_KEY": "short",
    "DRIVERCRM_ADDRESS_KEY": "short",
    "DRIVERCRM_JOBS": "celery",
    "DRIVERCRM_DEBUG": "perhaps",
    "DRIVERCRM_HTTPS": "perhaps",
    "DRIVERCRM_LOG": "xml",
    "DRIVERCRM_API_PER_MINUTE": "many",
    "DRIVERCRM_THREADS": "0",
    "DRIVERCRM_PROCESSES": "-1",
}


@pytest.mark.parametrize(("name", "value"), WRONG.items())
def test_a_wrong_variable_stops_the_start_with_its_name(
    make_place: Callable[[], Place], name: str, value: str
) -> None:
    result = make_place().run("serve", "--bind", "127.0.0.1:1", **{name: value})

    assert (result.code, result.out) == (2, "")
    assert name in result.err
    assert "Traceback" not in result.err
    assert len(result.err.splitlines()) == 1


def test_a_data_folder_that_is_a_file_is_named(make_place: Callable[[], Place]) -> None:
    place = make_place()
    file = place.folder / "file"
    file.touch()

    result = place.run("doctor", DRIVERCRM_DATA_DIR=str(file))
    assert result.code == 2
    assert result.err.startswith("DRIVERCRM_DATA_DIR is")


def test_a_password_in_the_database_s_address_is_never_repeated(make_place: Callable[[], Place]) -> None:
    result = make_place().run("doctor", DATABASE_URL="postgres://crm:hunter2@[bad")

    assert result.code == 2
    assert "DATABASE_URL" in result.err
    assert "hunter2" not in result.err + result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(make_place: Callable[[], Place], command: str) -> None:
    result = make_place().run(command, "--help")

    assert result.code == 0
    assert f"drivercrm {command}" in result.out or command in result.out


def test_wrong_use_is_exit_code_2(make_place: Callable[[], Place]) -> None:
    place = make_place()

    assert place.run("serve", "--colour", "red").code == 2
    assert place.run("dance").code == 2
    assert place.run("create-token").code == 2


def test_the_list_of_commands(make_place: Callable[[], Place]) -> None:
    result = make_place().run("--help")

    assert result.code == 0
    assert all(command in result.out for command in COMMANDS)


def test_migrating_twice_changes_nothing(make_place: Callable[[], Place]) -> None:
    place = make_place()

    assert place.run("migrate", "--check").code == 1
    assert "Applied" in place.run("migrate").out
    assert place.run("migrate").out == "The database is up to date.\n"
    assert place.run("migrate", "--check").code == 0


def test_people_and_tokens_are_made(place: Place) -> None:
    first = place.run("create-user", "ops@example.org", "--role", "operations", typed=PASSWORD)
    assert (first.code, first.err) == (1, "The first person must be an admin.\n")

    made = place.run("create-user", "Ada@example.org", "--name", "Ada Admin", "--json", typed=PASSWORD)
    assert {**json.loads(made.out), "id": ""} == {
        "id": "",
        "email": "ada@example.org",
        "name": "Ada Admin",
        "role": "admin",
    }
    again = place.run("create-user", "ada@example.org", typed=PASSWORD)
    assert (again.code, "Traceback" in again.err) == (1, False)
    weak = place.run("create-user", "b@example.org", typed="short\n")
    assert weak.code == 1

    token = json.loads(place.run("create-token", "Sync", "--role", "viewer", "--json").out)
    assert (token["name"], token["role"], token["token"][:5]) == ("Sync", "viewer", "dcrm_")
    assert place.run("create-token", "--role", "operations").out.startswith("dcrm_")
    unknown = place.run("create-token", "Other", "--role", "boss")
    assert (unknown.code, len(unknown.err.splitlines())) == (1, 1)


def test_doctor_and_rebuild_answer_in_json(place: Place) -> None:
    place.run("create-user", "ada@example.org", typed=PASSWORD)

    checks = json.loads(place.run("doctor", "--json").out)["checks"]
    states = {one["check"]: one["state"] for one in checks}
    assert states["Database"] == states["Version"] == states["Team"] == states["Time zone"] == "right"
    assert json.loads(place.run("rebuild", "--json").out)["wrong"] == 0
    assert place.run("rebuild").out.endswith("Nothing was wrong.\n")


def test_doctor_says_when_the_database_is_of_another_version(make_place: Callable[[], Place]) -> None:
    result = make_place().run("doctor")

    assert result.code == 1
    assert "Run “drivercrm migrate”" in result.out


def test_worker_refuses_a_database_of_another_version(make_place: Callable[[], Place]) -> None:
    result = make_place().run("worker")

    assert (result.code, result.err) == (
        1,
        "The database is not of this version yet. Run “drivercrm migrate” first.\n",
    )


NOT_MIGRATED = "The database is not of this version yet. Run “drivercrm migrate” first.\n"


def test_what_needs_a_database_says_to_migrate_first(make_place: Callable[[], Place]) -> None:
    place = make_place()

    for words in (
        ("hold",),
        ("release",),
        ("rebuild",),
        ("create-token", "--role", "admin"),
        ("create-user", "ada@example.org"),
    ):
        result = place.run(*words, typed=PASSWORD)
        assert (result.code, result.out, result.err) == (1, "", NOT_MIGRATED), words


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("serve", "--threads", "-1"), "--threads"),
        (("serve", "--threads", "0"), "--threads"),
        (("serve", "--processes", "0"), "--processes"),
        (("worker", "--threads", "0"), "--threads"),
    ],
)
def test_numbers_below_one_are_wrong_use(
    make_place: Callable[[], Place], words: tuple[str, ...], option: str
) -> None:
    result = make_place().run(*words)

    assert (result.code, result.out) == (2, "")
    assert f"for {option}. Use a whole number, at least 1." in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("days", ["0", "-1", "3651", "99999999999"])
def test_a_token_lasts_for_a_number_of_days_that_a_calendar_has(place: Place, days: str) -> None:
    result = place.run("create-token", "--role", "admin", "--days", days)

    assert (result.code, result.out, result.err) == (
        1,
        "",
        "A token lasts from 1 to 3650 days, or for ever without --days.\n",
    )
    assert place.run("create-token", "--role", "admin", "--days", "3650").out.startswith("dcrm_")
