"""What only several processes can show: an import that is killed, repeated, or run by two at once.

SIGKILL leaves whole chunks of rows; a repeat completes the list (ADR 0011).
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection

from drivercrm.consent.models import ConsentEvent
from drivercrm.core import clock
from drivercrm.drivers.models import ChannelIdentity, Driver
from drivercrm.imports import workflow as imports
from drivercrm.imports.enums import ImportState
from drivercrm.imports.models import SILENT_AFTER, Import, ImportRow
from drivercrm.imports.workflow import undoing
from drivercrm.imports.workflow.running import CHUNK
from tests.factories import NANDI
from tests.imports.lists import AGREEMENT, COMMAND, as_csv, differing, dump, many, staged
from tests.processes import environment

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROWS = 6 * CHUNK


def start(file: Path, *more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*COMMAND, str(file), "--apply", "--basis", AGREEMENT, "--json", *more],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: "subprocess.Popen[str]") -> dict[str, object]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    found: dict[str, object] = json.loads(out)
    return found


def write(folder: Path, rows: int = ROWS) -> Path:
    file = folder / "list.csv"
    file.write_bytes(as_csv(many(rows)))
    return file


def wait_for(table: type[Driver] | type[ImportRow], count: int) -> None:
    until = time.monotonic() + 60
    while table.objects.count() < count:
        assert time.monotonic() < until
        time.sleep(0.005)


def check_whole(count: int = ROWS) -> None:
    """Every row's driver once, with every fact."""
    assert Driver.objects.count() == count
    assert Driver.objects.values("phone").distinct().count() == count
    assert ChannelIdentity.objects.count() == 2 * count
    assert ConsentEvent.objects.count() == count
    assert Driver.objects.filter(communication_opt_in=True).count() == count
    assert len(Driver.objects.search("thandi nkosi77")) >= 1


@pytest.mark.parametrize("chunks", [0, 1, 3, 5])
def test_a_killed_import_leaves_whole_chunks_and_a_repeat_completes_it(chunks: int, tmp_path: Path) -> None:
    file = write(tmp_path)
    process = start(file)
    if chunks:
        wait_for(Driver, chunks * CHUNK)
    else:
        wait_for(ImportRow, CHUNK)
    process.kill()
    process.communicate()

    drivers = Driver.objects.count()
    assert drivers % CHUNK == 0
    assert drivers < ROWS
    assert ChannelIdentity.objects.count() == 2 * drivers
    assert ConsentEvent.objects.count() == drivers

    report = finished(start(file))

    assert report["summary"] == {"create": ROWS}
    check_whole()
    if chunks:  # the same import went on
        assert list(Import.objects.values_list("state", "created_count", "done_count")) == [
            ("done", ROWS, ROWS)
        ]


def test_a_killed_import_goes_on_in_the_worker(tmp_path: Path) -> None:
    process = start(write(tmp_path))
    wait_for(Driver, CHUNK)
    process.kill()
    process.communicate()

    assert imports.resume_silent() == 0
    Import.objects.update(progress_at=clock.now() - 2 * SILENT_AFTER)
    assert imports.resume_silent() == 1

    assert Import.objects.get().state == ImportState.DONE
    check_whole()


def test_two_who_import_the_same_file_at_once_make_each_driver_once(tmp_path: Path) -> None:
    file = write(tmp_path, 4 * CHUNK)
    before = dump()

    reports = [finished(process) for process in [start(file), start(file)]]

    check_whole(4 * CHUNK)
    assert sum(int(str(report["created"])) for report in reports if report["import"]) >= 4 * CHUNK
    for of in Import.objects.all():
        imports.undo(of, by=NANDI, in_background=False)
    assert differing(before, dump()) == []


def test_two_who_run_one_import_take_turns() -> None:
    of = staged(many(4 * CHUNK), basis=imports.read_basis(AGREEMENT))
    imports.start(of, by=NANDI, in_background=False)
    program = f"""
import django; django.setup()
from uuid import UUID
from drivercrm.imports import workflow as imports
imports.run(UUID("{of.pk}"))
"""
    processes = [subprocess.Popen([sys.executable, "-c", program], env=environment()) for _ in range(2)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]

    of = Import.objects.get()
    assert (of.state, of.created_count, of.done_count) == (ImportState.DONE, 4 * CHUNK, 4 * CHUNK)
    check_whole(4 * CHUNK)


def test_a_killed_undo_is_completed_by_a_repeat(tmp_path: Path) -> None:
    before = dump()
    report = finished(start(write(tmp_path)))
    process = subprocess.Popen(
        [*COMMAND, "--undo", str(report["import"])], env=environment(), stdout=subprocess.DEVNULL
    )
    until = time.monotonic() + 60
    while Driver.objects.count() == ROWS:
        assert time.monotonic() < until
        time.sleep(0.005)
    process.kill()
    process.wait()
    left = Driver.objects.count()
    assert left % undoing.CHUNK == 0

    of = Import.objects.first()
    if of:
        imports.undo(of, by=NANDI, in_background=False)

    assert (Driver.objects.count(), Import.objects.count()) == (0, 0)
    assert differing(before, dump()) == []
    assert connection.vendor in {"sqlite", "postgresql"}
