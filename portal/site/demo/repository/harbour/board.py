"""The page: each light, whether it is lit, how far it is seen."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from . import lights, ranges
from .lights import Light

STYLE = """
body { font: 17px/1.5 Georgia, serif; margin: 3rem auto; max-width: 46rem; padding: 0 1rem;
       background: #0e1b2a; color: #e8eef4 }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .5rem .75rem; border-bottom: 1px solid #2a3d52 }
.lit { color: #ffd76a } .dark { color: #9fb2c6 }
h2 { font-size: 1.1rem; margin-top: 2rem }
footer { margin-top: 2rem; color: #9fb2c6; font-size: .85rem }
"""


def named(light: Light) -> str:
    return light.name


def row(light: Light) -> str:
    state = "lit" if lights.is_lit(light) else "dark"
    cells = (named(light), escape(light.character), ranges.shown(light.range_metres))
    return f'<tr><td>{"</td><td>".join(cells)}</td><td class="{state}">{state}</td></tr>'


def page(found: Iterable[Light], notices: Iterable[str], footer: str) -> str:
    """The whole board as HTML."""
    known = list(found)
    lit = sum(lights.is_lit(light) for light in known)
    rows = "\n".join(row(light) for light in known)
    said = "".join(f"<li>{escape(notice)}</li>" for notice in notices)
    notes = f"<h2>Notices to mariners</h2><ul>{said}</ul>" if said else ""
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Harbour lights</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
<h1>Harbour lights</h1>
<p><strong>{lit} of {len(known)} lights are lit.</strong></p>
<table>
<tr><th>Light</th><th>Character</th><th>Range</th><th>Now</th></tr>
{rows}
</table>
{notes}
<footer>{escape(footer)}</footer>
</html>
"""
