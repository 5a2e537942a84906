"""Imports for programs (spec §9, §10)."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse

from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver
from drivercrm.imports.models import Import
from drivercrm.jobs.workflow import worker
from tests.api.conftest import Api, api, api_as, problem
from tests.factories import NANDI
from tests.imports.lists import AGREEMENT, DATA, REAL, as_csv, differing, dump, many

__all__ = ["api", "api_as"]  # fixtures
pytestmark = pytest.mark.django_db
TRUTH = json.loads((DATA / "driver-list.expected.json").read_text())
KEPT = {"journal_entries", "journal_changes", "journal_deliveries", "jobs", "sqlite_sequence", "api_tokens"}


def upload(
    api: Api, content: bytes, name: str = "list.csv", headers: Any = None, **more: Any
) -> HttpResponse:
    return api.client.post(
        "/api/v1/imports",
        {"file": SimpleUploadedFile(name, content), **more},
        headers=api._headers() | (headers or {}),
    )


def test_the_real_list_is_uploaded_applied_and_taken_back(api: Api) -> None:
    before = dump(leave_out=KEPT)

    response = upload(api, REAL.read_bytes(), "driver-list.xlsx", basis=AGREEMENT, evidence="folder 3")
    made = response.json()
    assert (response.status_code, made["state"], made["summary"]) == (202, "checked", TRUTH["summary"])
    assert response["Location"] == f"/api/v1/imports/{made['id']}"
    assert made["basis"]["channels"] == ["whatsapp"]
    assert [column["target"] for column in made["columns"]][1] == "identity_number"

    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = api.get(
            f"/imports/{made['id']}/rows", limit=200, **({"cursor": cursor} if cursor else {})
        ).json()
        rows += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert [(r["row"], r["verdict"], r["phone"], r["email"]) for r in rows] == [
        (r["row"], r["verdict"], r.get("phone"), r.get("email")) for r in TRUTH["rows"]
    ]
    assert len(api.get(f"/imports/{made['id']}/rows", verdict="review").json()["items"]) == 22

    assert api.post(f"/imports/{made['id']}/apply").status_code == 202
    worker(clockwork=False).drain()
    done = api.get(f"/imports/{made['id']}").json()
    assert (done["state"], done["created_count"], done["left_out_count"]) == ("done", 515, 27)
    assert Driver.objects.filter(communication_opt_in=True).count() == 515

    undone = api.post(f"/imports/{made['id']}/undo").json()
    assert undone == {"is_finished": True, "deleted": 515, "restored": 0, "kept": []}
    assert api.get(f"/imports/{made['id']}").status_code == 404
    assert differing(before, dump(leave_out=KEPT)) == []


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"x", "no_rows"),
        (b"%PDF-1.7", "wrong_kind"),
        (b"PK\x03\x04broken", "broken_workbook"),
        (b"Name,Phone\nA\x00B,0820000001\n", "nul_bytes"),
    ],
)
def test_a_file_that_is_no_list_is_a_problem_and_stores_nothing(api: Api, content: bytes, code: str) -> None:
    before = dump(leave_out=KEPT)

    response = upload(api, content)

    assert problem(response)[1] == code
    assert response.status_code in {409, 422}
    assert differing(before, dump(leave_out=KEPT)) == []


def test_wrong_choices_at_upload_name_their_field(api: Api) -> None:
    content = as_csv(many(1))

    assert problem(upload(api, content, map="Nope=name")) == (422, "unknown_heading", "map")
    assert problem(upload(api, content, map="Name=nobody")) == (422, "unknown_target", "map")
    assert problem(upload(api, content, map="Name")) == (422, "bad_map", "map")
    assert problem(upload(api, content, basis="They agreed")) == (422, "basis_unclear", "basis")
    assert api.client.post("/api/v1/imports", {}, headers=api._headers()).status_code == 422
    assert Import.objects.count() == 0


def test_columns_cells_decisions_and_basis(api: Api) -> None:
    content = as_csv(
        [["Ayanda Zulu", "12", "Umlazi"], ["Bongi Cele", "0820000002", ""], ["Chris Moyo", "0820000002", ""]],
        ["Name", "Phone", "Ref"],
    )
    made = upload(api, content).json()
    path = f"/imports/{made['id']}"

    assert api.post(f"{path}/columns", {"targets": {"ref": "area"}}).json()["summary"] == {
        "create": 1,
        "review": 2,
    }
    assert problem(api.post(f"{path}/columns", {"targets": {"Nope": "area"}})) == (
        422,
        "unknown_heading",
        "targets",
    )
    row = api.post(f"{path}/rows/2/cells", {"cells": {"Phone": "0820000001"}}).json()
    assert (row["verdict"], row["phone"], row["values"]["area"]) == ("create", "+27820000001", "Umlazi")
    row = api.post(f"{path}/rows/4/decision", {"decision": "another"}).json()
    assert (row["verdict"], row["decision"], row["earlier_row"]) == ("review", "another", 3)
    assert problem(api.post(f"{path}/rows/99/decision", {"decision": "leave_out"}))[1] == "no_such_row"
    basis = {"wording": "Agreement", "channels": ["email"], "purposes": ["service"], "evidence": "folder"}
    assert api.post(f"{path}/basis", basis).json()["basis"] == basis
    api.post(f"{path}/apply")
    worker(clockwork=False).drain()

    assert sorted(Driver.objects.values_list("name", "phone")) == [
        ("Ayanda Zulu", "+27820000001"),
        ("Bongi Cele", "+27820000002"),
        ("Chris Moyo", "+27820000002"),
    ]
    assert api.get(f"{path}/rows").json()["items"][2]["did"] == "created"


def test_what_an_undo_keeps_is_named(api: Api) -> None:
    made = upload(api, as_csv(many(2))).json()
    api.post(f"/imports/{made['id']}/apply")
    worker(clockwork=False).drain()
    driver = Driver.objects.get(phone="+27820000001")
    drivers.edit(driver, {"area": "Umlazi"}, by=NANDI)

    undone = api.post(f"/imports/{made['id']}/undo").json()

    assert (undone["deleted"], undone["kept"]) == (
        1,
        [{"id": str(driver.pk), "name": "Thandi Nkosi1", "reason": "details changed since"}],
    )
    assert api.get(f"/imports/{made['id']}").json()["state"] == "undone"
    assert problem(api.post(f"/imports/{made['id']}/undo")) == (409, "wrong_state", None)


def test_the_same_list_again_has_nothing_to_apply(api: Api) -> None:
    made = upload(api, as_csv(many(2))).json()
    api.post(f"/imports/{made['id']}/apply")
    worker(clockwork=False).drain()

    again = upload(api, as_csv(many(2))).json()

    assert again["summary"] == {"unchanged": 2}
    assert problem(api.post(f"/imports/{again['id']}/apply")) == (409, "nothing_to_do", None)
    assert api.delete(f"/imports/{again['id']}").status_code == 204
    assert [one["id"] for one in api.get("/imports").json()["items"]] == [made["id"]]


def test_a_repeated_upload_with_the_same_key_makes_one_import(api: Api) -> None:
    first, again = (upload(api, as_csv(many(1)), headers={"Idempotency-Key": "k1"}) for _ in range(2))

    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert again["Idempotency-Replayed"] == "true"
    assert Import.objects.count() == 1


def test_a_repeated_upload_of_another_file_is_refused(api: Api) -> None:
    upload(api, as_csv(many(1)), headers={"Idempotency-Key": "k1"})

    other = upload(api, as_csv(many(1, start=5)), headers={"Idempotency-Key": "k1"})

    assert problem(other) == (422, "key_used", "Idempotency-Key")
    assert Import.objects.count() == 1


def test_an_upload_beyond_what_a_request_may_keep_in_memory_has_its_key(api: Api) -> None:
    rows = [[*row, "x" * 30_000] for row in many(400)]
    content = as_csv(rows, ["Name", "Phone", "Email", "Notes"])
    assert len(content) > 10 * 1024 * 1024

    first, again = (upload(api, content, headers={"Idempotency-Key": "k1"}) for _ in range(2))

    assert (first.status_code, first.json()["summary"]) == (202, {"create": 400})
    assert again.json()["id"] == first.json()["id"]
