"""The JSON API: tokens, one operation a function, one call inward."""
