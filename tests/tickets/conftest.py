"""Pages opened as somebody."""

from tests.signing_in import counted, sign_in, static_root

__all__ = ["counted", "sign_in", "static_root"]
