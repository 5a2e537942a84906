"""Channels without an account: everything behaves like the real provider, and nothing leaves the installation."""
