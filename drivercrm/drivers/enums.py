"""The seed's values, unchanged, and the words this room adds."""

from django.db.models import TextChoices


class OnboardingStatus(TextChoices):
    NOT_CONTACTED = "not_contacted", "Not contacted"
    CONTACTED = "contacted", "Contacted"
    INVITED = "invited", "Invited"
    ONBOARDING_STARTED = "onboarding_started", "Onboarding started"
    ONBOARDING_COMPLETED = "onboarding_completed", "Onboarding completed"
    ACTIVE = "active", "Active"
    INACTIVE = "inactive", "Inactive"
    OPTED_OUT = "opted_out", "Opted out"


class PreferredChannel(TextChoices):
    WHATSAPP = "whatsapp", "WhatsApp"
    TELEGRAM = "telegram", "Telegram"
    EMAIL = "email", "Email"


class Trigger(TextChoices):
    """What moves a driver (spec §3)."""

    MESSAGE_ACCEPTED = "message_accepted", "Message accepted"
    INVITATION_ACCEPTED = "invitation_accepted", "Invitation accepted by the provider"
    CALL_REACHED = "call_reached", "Call answered or voicemail"
    UNREACHED = "unreached", "Every message failed"
    PORTAL_ACCEPTED = "portal_accepted", "Driver accepted on the personal link"
    STEP_DONE = "step_done", "Checklist step done"
    PATHPULSE_STARTED = "pathpulse_started", "PathPulse: account linked or onboarding started"
    STEPS_COMPLETED = "steps_completed", "All required steps done"
    PATHPULSE_COMPLETED = "pathpulse_completed", "PathPulse: onboarding completed"
    USAGE = "usage", "A day with usage in the pilot"
    USAGE_STOPPED = "usage_stopped", "No usage for too long"
    CONSENT_WITHDRAWN = "consent_withdrawn", "Consent withdrawn"
    CONSENT_GRANTED = "consent_granted", "Consent granted again"
    IMPORTED = "imported", "Status in an imported list"
    STAFF = "staff", "Moved by staff"
    UNDO = "undo", "Undone"


class IdentityKind(TextChoices):
    PHONE = "phone", "Phone number"
    WHATSAPP_ID = "whatsapp_id", "WhatsApp id"
    BUSINESS_SCOPED_ID = "business_scoped_id", "WhatsApp business-scoped id"
    TELEGRAM_CHAT = "telegram_chat", "Telegram chat"
    EMAIL = "email", "Email address"


class FollowUpSource(TextChoices):
    PERSON = "person", "A person"
    SEQUENCE = "sequence", "A sequence"


class Outcome(TextChoices):
    """How a follow-up ended."""

    DONE = "done", "Done"
    CLOSED = "closed", "Closed by an opt-out or a merge"


# The words for a driver's columns, wherever people read or edit them.
FIELD_NAMES = {
    "name": "Name",
    "given_name": "Given name",
    "phone": "Phone",
    "whatsapp_number": "WhatsApp",
    "email": "Email",
    "telegram_username": "Telegram",
    "preferred_channel": "Preferred",
    "area": "Area",
    "language": "Language",
    "timo_driver_id": "Timo driver ID",
    "pathpulse_account_id": "PathPulse account",
    "notes": "Notes",
    "owner": "Owner",
}
