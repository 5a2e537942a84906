"""`python -m drivercrm.cli` is the command too, where its script is not on the path."""

from drivercrm.cli import main

main()
