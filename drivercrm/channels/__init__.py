"""The vendors: one folder for each provider, all behind the interface of `provider.py`. They know no room (ADR 7)."""
