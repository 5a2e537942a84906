from django.apps import AppConfig


class ConsentConfig(AppConfig):
    name = "drivercrm.consent"
    label = "consent"
    default_auto_field = "django.db.models.BigAutoField"
