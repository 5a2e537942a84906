"""Pages and actions of the driver record: one driver, and many at once."""
