"""What people type about drivers, read into clean values; saves nothing."""
