"""The board of the harbour's lights."""
