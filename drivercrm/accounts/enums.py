"""The team's roles (spec §1)."""

from django.db.models import TextChoices


class Role(TextChoices):
    VIEWER = "viewer", "Viewer"
    OPERATIONS = "operations", "Operations"
    SUPPORT = "support", "Support"
    FINANCE = "finance", "Finance"
    MANAGER = "manager", "Manager"
    ADMIN = "admin", "Admin"


class Theme(TextChoices):
    SYSTEM = "", "As the device"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"
