"""Telegram's Bot API: `adapter.py` speaks to it, `inbound.py` reads what it tells."""
