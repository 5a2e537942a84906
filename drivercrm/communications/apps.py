from django.apps import AppConfig


class CommunicationsConfig(AppConfig):
    name = "drivercrm.communications"
    label = "communications"
    default_auto_field = "django.db.models.BigAutoField"
