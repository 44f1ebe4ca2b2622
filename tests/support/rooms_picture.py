"""Draws docs/rooms.svg: the rooms, and the direction of their imports.

The floors are the layers of the import contracts in pyproject.toml, the sentences are those of CONTRIBUTING's tables.
"""

from __future__ import annotations

import re
import textwrap
import tomllib
from html import escape
from pathlib import Path

__all__ = ["ideas", "layers", "picture"]

ROOT = Path(__file__).resolve().parents[2]
COLUMN, GAP, TOP, ROW = 470, 20, 64, 62
STYLE = """
  text { font-family: system-ui, sans-serif; font-size: 12px; fill: #24292f }
  .title { font-size: 16px; font-weight: 600 }
  .name { font-size: 14px; font-weight: 600 }
  rect { fill: #f2f6fc; stroke: #5277b5 }
  path { stroke: #5277b5; fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    rect { fill: #17202e; stroke: #6f97d8 }
    path { stroke: #6f97d8 }
  }
"""


def layers(container: str) -> list[list[str]]:
    """Return the floors of a package from its import contract, the highest first; siblings share a floor."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    [contract] = [each for each in settings["contracts"] if each.get("containers") == [container]]
    return [re.split(r"\s*[|:]\s*", layer) for layer in contract["layers"]]


def ideas() -> dict[str, str]:
    """Return the sentence about each room: the first two columns of the tables in CONTRIBUTING's section about them."""
    section = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## The rooms")[2].partition("How a request")[0]
    rows = re.findall(r"^\| `([\w/]+?)(?:/|\.py)` \| ([^|]+) \|", section, re.MULTILINE)
    return {name: idea.strip().replace("`", "") for name, idea in rows}


def box(x: float, y: float, width: float, name: str, idea: str) -> list[str]:
    """Draw one room: its name, and its sentence in at most two lines."""
    lines = textwrap.wrap(idea, int((width - 20) / 5.9), max_lines=2, placeholder=" …")
    texts = [f'<text class="name" x="{x + 10}" y="{y + 17}">{escape(name)}</text>']
    texts += [f'<text x="{x + 10}" y="{y + 32 + 14 * n}">{escape(line)}</text>' for n, line in enumerate(lines)]
    return [f'<rect x="{x}" y="{y}" width="{width}" height="{ROW - 10}" rx="5"/>', *texts]


def column(x: float, title: str, container: str, prefix: str) -> list[str]:
    """Draw the floors of a package, the highest on top, with an arrow that says where imports point."""
    elements = [f'<text class="title" x="{x}" y="24">{escape(title)}</text>']
    floors = layers(container)
    for number, floor in enumerate(floors):
        width = (COLUMN - 24 - 8 * (len(floor) - 1)) / len(floor)
        for index, name in enumerate(floor):
            idea = ideas()[prefix + name]
            elements += box(x + index * (width + 8), TOP - 24 + number * ROW, round(width, 1), name, idea)
    end = TOP - 24 + len(floors) * ROW - 10
    elements.append(f'<path d="M{x + COLUMN - 12} {TOP - 24} V{end} m-5 -8 l5 8 l5 -8"/>')
    elements.append(f'<text x="{x + COLUMN - 12}" y="24" text-anchor="end">imports point down only</text>')
    return elements


def picture() -> str:
    """Return the picture as SVG, readable on a light and on a dark page."""
    width = 2 * COLUMN + GAP
    height = TOP - 24 + max(len(layers("dockerlab")), len(layers("dockerlab.engine"))) * ROW
    client = column(10, "dockerlab: the client, the course", "dockerlab", "")
    engine = column(10 + COLUMN + GAP, "dockerlab/engine: the practice engine", "dockerlab.engine", "engine/")
    words = "The rooms of dockerlab and of its practice engine, as floors; imports point down only."
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 10} {height}" role="img" aria-label="{words}">'
    )
    return "\n".join([head, f"<style>{STYLE}</style>", *client, *engine, "</svg>", ""])
