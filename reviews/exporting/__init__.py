"""Findings as files: for spreadsheets, for programs, for tools, and as a document that imports as the same findings."""
