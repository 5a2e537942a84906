"""A list on its way in: what was uploaded, how it is read, and its rows (ADR 0011).

The file itself is never kept. The columns that hold identity numbers are emptied before a row is written here.
"""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q

from drivercrm.core import clock
from drivercrm.core.ids import uuid7
from drivercrm.imports.columns import ColumnMap
from drivercrm.imports.enums import Decision, Did, Heap, ImportKind, ImportState, RowVerdict
from drivercrm.imports.headings import Target

UNDO_DAYS = 7
SILENT_AFTER = timedelta(seconds=90)  # a running import writes down every chunk; then its worker is gone


class Import(models.Model):
    """One uploaded list."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=10, choices=ImportKind.choices, default=ImportKind.DRIVERS)
    state = models.CharField(max_length=10, choices=ImportState.choices, default=ImportState.STAGING)

    file_name = models.CharField(max_length=200)
    file_hash = models.CharField(max_length=64)
    file_size = models.PositiveBigIntegerField(default=0)
    sheet = models.CharField(max_length=200, blank=True, default="")
    headings = models.JSONField(default=list)
    warnings = models.JSONField(default=list)

    # One per heading: its target, why, how sure, whether it was emptied because it held identity numbers.
    columns = models.JSONField(default=list)
    status_values = models.JSONField(default=dict)
    surname_first = models.BooleanField(default=False)
    # What the columns hold, counted while the rows were judged: filled cells, notes, words of the status column.
    tally = models.JSONField(default=dict)

    basis = models.CharField(max_length=500, blank=True, default="")
    evidence = models.CharField(max_length=500, blank=True, default="")
    channels = models.JSONField(default=list)
    purposes = models.JSONField(default=list)

    row_count = models.PositiveIntegerField(default=0)
    last_row = models.PositiveIntegerField(default=0)
    verdicts = models.JSONField(default=dict)
    done_through = models.PositiveIntegerField(default=0, help_text="The last row that was dealt with.")
    done_count = models.PositiveIntegerField(default=0)
    created_count = models.PositiveIntegerField(default=0)
    updated_count = models.PositiveIntegerField(default=0)
    kept_count = models.PositiveIntegerField(default=0, help_text="Drivers that an undo left in place.")
    deleted_count = models.PositiveIntegerField(default=0)
    restored_count = models.PositiveIntegerField(default=0)
    act = models.UUIDField(default=uuid7)

    created_by = models.CharField(max_length=80)
    origin = models.CharField(max_length=4, default="web")
    created_at = models.DateTimeField(default=clock.now)
    started_at = models.DateTimeField(null=True)
    progress_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "imports"
        indexes = [
            models.Index(fields=["-created_at"], name="import_newest"),
            models.Index(fields=["state", "progress_at"], name="import_by_state"),
            models.Index(fields=["file_hash"], name="import_of_file"),
        ]
        constraints = [
            models.CheckConstraint(name="import_kind", condition=Q(kind__in=ImportKind.values)),
            models.CheckConstraint(name="import_state", condition=Q(state__in=ImportState.values)),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def column_map(self) -> ColumnMap:
        """The columns as they are read now."""
        targets = tuple(Target(column["target"]) for column in self.columns)
        return ColumnMap(targets, self.surname_first, self.status_values)

    @property
    def undo_until(self) -> datetime | None:
        """The last moment at which this import can be undone."""
        begun = self.finished_at or self.started_at
        return begun + timedelta(days=UNDO_DAYS) if begun else None

    @property
    def may_be_undone(self) -> bool:
        until = self.undo_until
        ended = self.state in {ImportState.DONE, ImportState.STOPPED, ImportState.UNDOING}
        return bool(ended and until and clock.now() <= until and self.created_count + self.updated_count)

    @property
    def is_silent(self) -> bool:
        """Whether whoever was at work on this has stopped writing."""
        return self.progress_at < clock.now() - SILENT_AFTER

    @property
    def left_out_count(self) -> int:
        return max(
            0, self.done_count - self.created_count - self.updated_count - self.verdicts.get("blank", 0)
        )

    @property
    def percent(self) -> int:
        """How much of the list has been dealt with."""
        return self.done_count * 100 // self.row_count if self.row_count else 100


class ImportRow(models.Model):
    """One row of a list: its cells without identity numbers, the verdict, what people said, what was done."""

    id = models.BigAutoField(primary_key=True)
    of = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="rows", db_index=False)
    number = models.PositiveIntegerField(help_text="As the spreadsheet shows it.")
    cells = models.JSONField(default=list)
    fixes = models.JSONField(default=dict, help_text="Cells that a person has corrected, by column.")
    is_blank = models.BooleanField(default=False)

    verdict = models.CharField(max_length=9, choices=RowVerdict.choices, blank=True, default="")
    code = models.CharField(max_length=20, blank=True, default="")
    reason = models.CharField(max_length=500, blank=True, default="")
    notes = models.JSONField(default=list)
    values = models.JSONField(default=dict)
    changes = models.JSONField(default=dict)
    heap = models.CharField(max_length=9, choices=Heap.choices, blank=True, default="")
    match_id = models.UUIDField(null=True, help_text="The existing driver that the row is, or may be, about.")
    earlier_row = models.PositiveIntegerField(null=True)
    contested_number = models.CharField(max_length=20, blank=True, default="")

    decision = models.CharField(max_length=9, choices=Decision.choices, blank=True, default="")
    picks = models.JSONField(default=dict, help_text="Fields of a merge, taken from the file or kept.")

    driver_id = models.UUIDField(null=True)
    did = models.CharField(max_length=7, choices=Did.choices, blank=True, default="")
    wrote = models.JSONField(default=dict)
    kept = models.CharField(max_length=200, blank=True, default="", help_text="Why an undo left the driver.")

    class Meta:
        db_table = "import_rows"
        indexes = [models.Index(fields=["of", "heap", "number"], name="import_row_heap")]
        constraints = [
            models.UniqueConstraint(fields=["of", "number"], name="import_row_once"),
            models.CheckConstraint(name="import_row_verdict", condition=Q(verdict__in=RowVerdict.values)),
            models.CheckConstraint(name="import_row_heap_known", condition=Q(heap__in=Heap.values)),
            models.CheckConstraint(name="import_row_decision", condition=Q(decision__in=Decision.values)),
            models.CheckConstraint(name="import_row_did", condition=Q(did__in=Did.values)),
        ]

    def __str__(self) -> str:
        return f"Row {self.number}"

    def cell(self, index: int) -> str:
        """The cell as it counts: corrected by a person, else as the file had it."""
        fixed: str | None = self.fixes.get(str(index))
        if fixed is not None:
            return fixed
        return self.cells[index] if index < len(self.cells) else ""
