"""A list that left the CRM as a file comes back and changes nothing (spec §10: the same file again)."""

import pytest
from django.http import StreamingHttpResponse
from django.test import Client

from drivercrm.consent import workflow as consent
from drivercrm.desk.exports import VALUES
from drivercrm.drivers import workflow as drivers
from drivercrm.drivers.models import Driver
from drivercrm.imports import workflow as imports
from drivercrm.imports.enums import ImportState
from tests.factories import NANDI, make_driver, make_user
from tests.imports.lists import AGREEMENT, REAL, applied, differing, dump

pytestmark = pytest.mark.django_db
EVERY_COLUMN = "cols=" + ",".join(VALUES)


def exported(format: str, query: str) -> bytes:
    client = Client()
    client.force_login(make_user())
    answer = client.post("/drivers/export/", {"format": format, "all": "1", "query": query})
    assert answer.status_code == 200
    assert isinstance(answer, StreamingHttpResponse)
    return b"".join(answer.streaming_content)  # type: ignore[arg-type]


@pytest.mark.parametrize("format", ["csv", "xlsx"])
@pytest.mark.parametrize("query", ["", EVERY_COLUMN])
def test_our_own_export_changes_nothing_and_makes_nobody(format: str, query: str) -> None:
    applied(imports.stage(REAL, file_name=REAL.name, by=NANDI, basis=imports.read_basis(AGREEMENT)))
    make_driver("=HYPERLINK van Zyl", phone="+27315550001", email="o'neil@example.org")
    make_driver("Nomsa Cele", timo_driver_id="TD-1", pathpulse_account_id="P-1", area="Durban")
    moved, out, *_ = Driver.objects.order_by("pk")
    drivers.change_status(moved, "contacted", by=NANDI, reason="Called")
    consent.withdraw(out, source="call", by=NANDI)
    content = exported(format, query)
    before = dump()

    again = imports.stage(content, file_name=f"drivers.{format}", by=NANDI)

    assert again.state == ImportState.CHECKED
    assert again.verdicts == {"unchanged": 517}
    imports.discard(again)
    assert differing(before, dump()) == []
