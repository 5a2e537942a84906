"""What the product costs at a million drivers (spec §11). Every script here runs as `python -m benchmarks.<name>`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "drivercrm.config.settings")
django.setup()
