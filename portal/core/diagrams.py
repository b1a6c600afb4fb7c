"""The state diagrams of the docs, drawn from the tables that the code runs on."""

from __future__ import annotations

from portal.core.lifecycle import Machine, declared

HEADING = "# States\n\nDrawn by `manage.py state_diagrams` from the transition tables; a test compares them.\n"


def document() -> str:
    """``docs/states.md``: one mermaid diagram per model with a status."""
    return HEADING + "".join(f"\n## {machine.kind.capitalize()}\n\n{diagram(machine)}" for machine in declared())


def diagram(machine: Machine) -> str:
    """Mermaid source; states without a way in are where rows begin, those without a way out are ends."""
    arrows = [
        f"    {source} --> {step.target}: {step.verb.replace('_', ' ')}"
        for step in machine.transitions.values()
        for source in sorted(step.sources)
    ]
    return "\n".join(["```mermaid", "stateDiagram-v2", *arrows, "```", ""])
