"""The verbs of what is said: log, queue, send, receive, answer."""

from drivercrm.communications.workflow.accounts import halt, note_forged, sandbox
from drivercrm.communications.workflow.calls import STATUS_OF_CALL, log_call
from drivercrm.communications.workflow.derived import keep_derived, rebuild
from drivercrm.communications.workflow.files import read_file, store
from drivercrm.communications.workflow.providers import provider_of
from drivercrm.communications.workflow.queueing import again, cancel, clear, queue
from drivercrm.communications.workflow.receiving import keep, receive, understand
from drivercrm.communications.workflow.sending import claim, send_due, sweep
from drivercrm.communications.workflow.settling import accept, doubt_the_silent, fail, resolve

__all__ = [
    "STATUS_OF_CALL",
    "accept",
    "again",
    "cancel",
    "claim",
    "clear",
    "doubt_the_silent",
    "fail",
    "halt",
    "keep",
    "keep_derived",
    "log_call",
    "note_forged",
    "provider_of",
    "queue",
    "read_file",
    "rebuild",
    "receive",
    "resolve",
    "sandbox",
    "send_due",
    "store",
    "sweep",
    "understand",
]
