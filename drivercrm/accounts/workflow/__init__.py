"""The verbs of the team, its tokens and the organisation's settings."""

from drivercrm.accounts.workflow.background import discard_job, retry_job, retry_jobs
from drivercrm.accounts.workflow.holding import hold, release
from drivercrm.accounts.workflow.invitations import accept, find, invite, renew, revoke, why_closed
from drivercrm.accounts.workflow.organisation import save_organisation, step_keeper
from drivercrm.accounts.workflow.profile import (
    change_password,
    choose_theme,
    note_two_step,
    save_profile,
    sign_out_everywhere,
)
from drivercrm.accounts.workflow.repeats import forget_answers
from drivercrm.accounts.workflow.sign_in import attempt_failed, attempt_succeeded, begin_attempt
from drivercrm.accounts.workflow.team import (
    change_role,
    choose_password,
    create_user,
    deactivate,
    end_demo_accounts,
    make_first_admin,
    make_password_link,
    owner_of_password_link,
    reactivate,
    switch_off_two_step,
)
from drivercrm.accounts.workflow.tokens import authenticate_token, create_token, revoke_token

__all__ = [
    "accept",
    "attempt_failed",
    "attempt_succeeded",
    "authenticate_token",
    "begin_attempt",
    "change_password",
    "change_role",
    "choose_password",
    "choose_theme",
    "create_token",
    "create_user",
    "deactivate",
    "discard_job",
    "end_demo_accounts",
    "find",
    "forget_answers",
    "hold",
    "invite",
    "make_first_admin",
    "make_password_link",
    "note_two_step",
    "owner_of_password_link",
    "reactivate",
    "release",
    "renew",
    "retry_job",
    "retry_jobs",
    "revoke",
    "revoke_token",
    "save_organisation",
    "save_profile",
    "sign_out_everywhere",
    "step_keeper",
    "switch_off_two_step",
    "why_closed",
]
