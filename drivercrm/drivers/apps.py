from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class DriversConfig(AppConfig):
    name = "drivercrm.drivers"
    label = "drivers"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Rooms above add their filters to the lists of drivers."""
        autodiscover_modules("filters")
