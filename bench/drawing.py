"""A chart of lines on two logarithmic axes, as SVG that a browser shows in light and in dark."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 90, 150, 60, 370

STYLE = """
  .page { fill: #ffffff } text { font: 13px sans-serif; fill: #24292f }
  .title { font-size: 16px; font-weight: bold } .grid { stroke: #d0d7de }
  .line { fill: none; stroke-width: 2.5 } .dashed { stroke-dasharray: 6 5 }
  .a { stroke: #0969da } .b { stroke: #6e7781 } .c { stroke: #bc4c00 }
  .dot { fill: #ffffff; stroke-width: 2.5 }
  @media (prefers-color-scheme: dark) {
    .page, .dot { fill: #0d1117 } text { fill: #e6edf3 } .grid { stroke: #30363d }
    .a { stroke: #58a6ff } .b { stroke: #9198a1 } .c { stroke: #f0883e }
  }
"""

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """Points from left to right; `look` is a, b or c, and `dashed` with it where it is so.

    Its name stands `lift` above its right end, so that names of neighbours do not meet.
    """

    name: Sequence[str]
    points: Sequence[Point]
    look: str
    lift: float = 0


@dataclass(frozen=True)
class Axis:
    """From one power of ten to another; `named` writes a power."""

    title: str
    least: int
    most: int
    named: Callable[[float], str]

    def place(self, value: float, start: float, end: float) -> float:
        """Where `value` stands between `start` and `end`."""
        share = (math.log10(value) - self.least) / (self.most - self.least)
        return start + share * (end - start)

    @property
    def powers(self) -> list[float]:
        """The values that are marked."""
        return [10.0**power for power in range(self.least, self.most + 1)]


def chart(title: str, across: Axis, up: Axis, lines: Iterable[Line]) -> str:
    """The whole image. Each line is named at its right end."""
    edge = WIDTH - RIGHT

    def at(point: Point) -> Point:
        return across.place(point[0], LEFT, edge), up.place(point[1], BOTTOM, TOP)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{HEIGHT}"/>',
        text(LEFT, 28, title, "start", 'class="title"'),
        text((LEFT + edge) / 2, HEIGHT - 22, across.title),
        text(0, 0, up.title, extra=f'transform="translate(22 {(TOP + BOTTOM) / 2}) rotate(-90)"'),
    ]
    for value in across.powers:
        x, _ = at((value, up.powers[0]))
        parts += [rule((x, TOP), (x, BOTTOM)), text(x, BOTTOM + 20, across.named(value))]
    for value in up.powers:
        _, y = at((across.powers[0], value))
        parts += [rule((LEFT, y), (edge, y)), text(LEFT - 8, y + 4, up.named(value), "end")]
    for line in lines:
        places = [at(point) for point in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="line {line.look}" points="{path}"/>')
        dot = line.look.partition(" ")[0]
        parts += [f'<circle class="dot {dot}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in places]
        x, y = places[-1]
        first = y + 4 - 8 * (len(line.name) - 1) - line.lift
        parts += [
            text(x + 12, first + 16 * number, each, "start")
            for number, each in enumerate(line.name)
        ]
    return "\n".join([*parts, "</svg>", ""])


def text(x: float, y: float, content: str, anchor: str = "middle", extra: str = "") -> str:
    """Words."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {extra}>{escape(content)}</text>'


def rule(start: Point, end: Point) -> str:
    """A line of the grid."""
    (x, y), (to_x, to_y) = start, end
    return f'<path class="grid" d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}"/>'
