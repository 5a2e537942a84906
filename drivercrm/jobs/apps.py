from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class JobsConfig(AppConfig):
    name = "drivercrm.jobs"
    label = "jobs"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers every room's tasks, as Django finds admin modules."""
        autodiscover_modules("tasks", "subscribers")
