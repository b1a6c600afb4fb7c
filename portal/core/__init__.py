"""What every other part stands on: state changes, history, rights, limits, secrets, the guard."""
