"""The verbs of the driver record: everything that moves a status, touches several rows, or is news."""

from drivercrm.drivers.workflow.activity import mark_inactive, note_usage
from drivercrm.drivers.workflow.bulk import (
    Written,
    create_many,
    forget_moves,
    put_back_many,
    reopen_closed,
    update_many,
)
from drivercrm.drivers.workflow.checklist import complete_step, undo_step
from drivercrm.drivers.workflow.details import (
    EDITABLE,
    IDENTITY_OF,
    assign,
    create,
    default_channel,
    delete_untouched,
    edit,
    identity_value,
    note_communications,
    set_opt_in,
    undo_edit,
    usable_mail,
    usable_number,
)
from drivercrm.drivers.workflow.follow_ups import (
    complete_follow_up,
    drop_follow_ups,
    keep_next_follow_up,
    move_follow_up,
    reopen_follow_ups,
    set_follow_ups,
)
from drivercrm.drivers.workflow.lists import change_view, delete_view, note_export, restore_view, save_view
from drivercrm.drivers.workflow.rebuild import rebuild
from drivercrm.drivers.workflow.status import (
    change_status,
    change_status_of_many,
    opt_in_again,
    opt_out,
    trigger,
    undo_act,
)

__all__ = [
    "EDITABLE",
    "IDENTITY_OF",
    "Written",
    "assign",
    "change_status",
    "change_status_of_many",
    "change_view",
    "complete_follow_up",
    "complete_step",
    "create",
    "create_many",
    "default_channel",
    "delete_untouched",
    "delete_view",
    "drop_follow_ups",
    "edit",
    "forget_moves",
    "identity_value",
    "keep_next_follow_up",
    "mark_inactive",
    "move_follow_up",
    "note_communications",
    "note_export",
    "note_usage",
    "opt_in_again",
    "opt_out",
    "put_back_many",
    "rebuild",
    "reopen_closed",
    "reopen_follow_ups",
    "restore_view",
    "save_view",
    "set_follow_ups",
    "set_opt_in",
    "trigger",
    "undo_act",
    "undo_edit",
    "undo_step",
    "update_many",
    "usable_mail",
    "usable_number",
]
