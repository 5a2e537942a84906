"""Words of consent (spec §4)."""

from django.db.models import TextChoices


class Purpose(TextChoices):
    SERVICE = "service", "Service"
    MARKETING = "marketing", "Marketing"


class ConsentChannel(TextChoices):
    WHATSAPP = "whatsapp", "WhatsApp"
    TELEGRAM = "telegram", "Telegram"
    EMAIL = "email", "Email"
    PHONE = "phone", "Phone"


class ConsentEventKind(TextChoices):
    ASKED = "asked", "Asked"
    GRANTED = "granted", "Granted"
    WITHDRAWN = "withdrawn", "Withdrawn"


class ConsentState(TextChoices):
    NEVER_ASKED = "never_asked", "Never asked"
    ASKED = "asked", "Asked"
    GRANTED = "granted", "Granted"
    WITHDRAWN = "withdrawn", "Withdrawn"
