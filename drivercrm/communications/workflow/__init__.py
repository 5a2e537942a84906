"""The verbs of what is said: log, queue, send, receive, answer."""

from drivercrm.communications.workflow.calls import STATUS_OF_CALL, log_call
from drivercrm.communications.workflow.derived import keep_derived, rebuild

__all__ = ["STATUS_OF_CALL", "keep_derived", "log_call", "rebuild"]
