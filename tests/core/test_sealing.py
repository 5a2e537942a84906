"""Stored secrets are encrypted, and their keys can be replaced (spec §11)."""

import secrets

import pytest
from django.test import override_settings

from drivercrm.core.sealing import Unreadable, is_sealed, seal, unseal

OLD, NEW, OTHER = ("old-" * 10, "new-" * 10, "other-" * 10)


def test_what_was_sealed_is_read_again_and_looks_like_nothing() -> None:
    first, second = seal("JBSWY3DPEHPK3PXP"), seal("JBSWY3DPEHPK3PXP")

    assert (unseal(first), unseal(second)) == ("JBSWY3DPEHPK3PXP", "JBSWY3DPEHPK3PXP")
    assert first != second
    assert "JBSWY3DPEHPK3PXP" not in first


def test_a_new_key_in_front_reads_what_the_old_one_sealed() -> None:
    with override_settings(ENCRYPTION_KEYS=[], SECRET_KEY=OTHER):
        by_session_secret = seal("one")
    with override_settings(ENCRYPTION_KEYS=[OLD], SECRET_KEY=OTHER):
        by_old = seal("two")
    with override_settings(ENCRYPTION_KEYS=[NEW, OLD], SECRET_KEY=OTHER):
        assert (unseal(by_session_secret), unseal(by_old)) == ("one", "two")
        by_new = seal("three")
    with override_settings(ENCRYPTION_KEYS=[NEW], SECRET_KEY=OLD):
        assert (unseal(by_new), unseal(by_old)) == ("three", "two")


def test_another_key_and_a_changed_text_are_refused() -> None:
    with override_settings(ENCRYPTION_KEYS=[OLD]):
        sealed = seal("one")
    changed = sealed[:-10] + ("A" if sealed[-10] != "A" else "B") + sealed[-9:]

    with override_settings(ENCRYPTION_KEYS=[NEW]), pytest.raises(Unreadable):
        unseal(sealed)
    with override_settings(ENCRYPTION_KEYS=[OLD]), pytest.raises(Unreadable):
        unseal(changed)
    with pytest.raises(Unreadable):
        unseal("JBSWY3DPEHPK3PXP")


def test_a_clear_secret_is_never_taken_for_a_sealed_one() -> None:
    assert is_sealed(seal(""))
    assert not is_sealed(secrets.token_hex(40))
    assert not is_sealed("JBSWY3DPEHPK3PXP")
