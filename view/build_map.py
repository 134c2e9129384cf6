"""Draw view/world.svg from Natural Earth's borders: python -m view.build_map countries-50m.json.

Natural Earth is in the public domain. The file is the 1:50m one of the package world-atlas, version
2.0.2 (ISC licence), a TopoJSON of borders ("arcs") that neighbours share. Run by hand, once.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model.known import DATA

TARGET = Path(__file__).with_name("world.svg")
NATIONS = DATA / "nations.csv"
# The middle meridian: the map is cut opposite, in the Bering Strait, so that Russia is whole.
LEFT_OUT = {"010", "239", "260", "334"}  # Antarctica and islands near it where nobody lives
CENTRE_DEG = 11.0
WIDTH = 1000.0
CREDIT = "Drawn by view/build_map.py from Natural Earth (public domain), 1:50m."
DECIMALS = 1
TOLERANCE = 0.3  # of a pixel, by which a border may move
LEAST_AREA, LEAST_SIZE = 0.35, 5.0  # pixels: smaller islands go, smaller nations get a disc
RADIUS = 3.2
# Units that bear no number in the file, and one that is not in it.
BY_NAME = {"Kosovo": "XKX"}
DISCS = {"ABK": "Abkhazia"}
# Numeric and alpha-3 codes of ISO 3166-1, for every unit of the file.
CODES = (
    "004AFG 008ALB 012DZA 016ASM 020AND 024AGO 028ATG 031AZE 032ARG 036AUS 040AUT 044BHS 048BHR "
    "050BGD 051ARM 052BRB 056BEL 060BMU 064BTN 068BOL 070BIH 072BWA 076BRA 084BLZ 086IOT 090SLB "
    "092VGB 096BRN 100BGR 104MMR 108BDI 112BLR 116KHM 120CMR 124CAN 132CPV 136CYM 140CAF 144LKA "
    "148TCD 152CHL 156CHN 158TWN 170COL 174COM 178COG 180COD 184COK 188CRI 191HRV 192CUB 196CYP "
    "203CZE 204BEN 208DNK 212DMA 214DOM 218ECU 222SLV 226GNQ 231ETH 232ERI 233EST 234FRO 238FLK "
    "239SGS 242FJI 246FIN 248ALA 250FRA 258PYF 260ATF 262DJI 266GAB 268GEO 270GMB 275PSE 276DEU "
    "288GHA 296KIR 300GRC 304GRL 308GRD 316GUM 320GTM 324GIN 328GUY 332HTI 334HMD 336VAT 340HND "
    "344HKG 348HUN 352ISL 356IND 360IDN 364IRN 368IRQ 372IRL 376ISR 380ITA 384CIV 388JAM 392JPN "
    "398KAZ 400JOR 404KEN 408PRK 410KOR 414KWT 417KGZ 418LAO 422LBN 426LSO 428LVA 430LBR 434LBY "
    "438LIE 440LTU 442LUX 446MAC 450MDG 454MWI 458MYS 462MDV 466MLI 470MLT 478MRT 480MUS 484MEX "
    "492MCO 496MNG 498MDA 499MNE 500MSR 504MAR 508MOZ 512OMN 516NAM 520NRU 524NPL 528NLD 531CUW "
    "533ABW 534SXM 540NCL 548VUT 554NZL 558NIC 562NER 566NGA 570NIU 574NFK 578NOR 580MNP 583FSM "
    "584MHL 585PLW 586PAK 591PAN 598PNG 600PRY 604PER 608PHL 612PCN 616POL 620PRT 624GNB 626TLS "
    "630PRI 634QAT 642ROU 643RUS 646RWA 652BLM 654SHN 659KNA 660AIA 662LCA 663MAF 666SPM 670VCT "
    "674SMR 678STP 682SAU 686SEN 688SRB 690SYC 694SLE 702SGP 703SVK 704VNM 705SVN 706SOM 710ZAF "
    "716ZWE 724ESP 728SSD 729SDN 732ESH 740SUR 748SWZ 752SWE 756CHE 760SYR 762TJK 764THA 768TGO "
    "776TON 780TTO 784ARE 788TUN 792TUR 795TKM 796TCA 798TUV 800UGA 804UKR 807MKD 818EGY 826GBR "
    "831GGY 832JEY 833IMN 834TZA 840USA 850VIR 854BFA 858URY 860UZB 862VEN 876WLF 882WSM 887YEM "
    "894ZMB"
)
ALPHA3 = {code[:3]: code[3:] for code in CODES.split()}

Ring = np.ndarray  # of points, [point, 2]


def project(degrees: np.ndarray) -> np.ndarray:
    """Longitudes and latitudes in the Natural Earth projection, in units of the globe's radius.

    Šavrič, Jenny, Patterson, Petrovič and Hurni (2011), a polynomial for either coordinate.
    """
    longitude = np.radians(degrees[:, 0] - CENTRE_DEG)
    square = np.radians(degrees[:, 1]) ** 2
    across = 0.8707 + square * (
        -0.131979 + square * (-0.013791 + square**3 * (0.003971 - 0.001529 * square))
    )
    up = 1.007226 + square * (
        0.015085 + square**2 * (-0.044475 + 0.028874 * square - 0.005916 * square**2)
    )
    return np.column_stack((longitude * across, -np.radians(degrees[:, 1]) * up))


def arcs_of(topology: dict[str, Any]) -> list[np.ndarray]:
    """Every border in degrees: the file holds whole steps from point to point."""
    scale, origin = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    return [np.cumsum(np.array(arc), axis=0) * scale + origin for arc in topology["arcs"]]


def thinned(points: np.ndarray, tolerance: float) -> np.ndarray:
    """Whether each point of a line is kept, so that none left out lies farther from it.

    Douglas and Peucker's rule; a closed line is divided at its farthest point first.
    """
    keep = np.zeros(len(points), dtype=bool)
    keep[[0, -1]] = True
    spans = [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        off = distances(points[first + 1 : last], points[first], points[last])
        farthest = int(np.argmax(off))
        if off[farthest] > tolerance:
            middle = first + 1 + farthest
            keep[middle] = True
            spans += [(first, middle), (middle, last)]
    return keep


def distances(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distance of points from a line, or from its start if it has no length."""
    along, off = end - start, points - start
    length = math.hypot(*along)
    if length == 0.0:
        return np.asarray(np.hypot(off[:, 0], off[:, 1]))
    return np.asarray(np.abs(along[0] * off[:, 1] - along[1] * off[:, 0]) / length)


def joined(numbers: Sequence[int], arcs: Sequence[np.ndarray]) -> Ring:
    """A ring from the numbers of its borders; ~number is that border backwards."""
    parts = [arcs[number] if number >= 0 else arcs[~number][::-1] for number in numbers]
    return np.concatenate([part[:-1] for part in parts])


def unwrapped(ring: Ring) -> Ring:
    """The ring without jumps across the date line, and on the side of the cut it belongs to."""
    longitude = np.unwrap(ring[:, 0], period=360.0)
    offset = (longitude.mean() - CENTRE_DEG + 180.0) // 360.0 * 360.0
    return np.column_stack((longitude - offset, ring[:, 1]))


def area(ring: Ring) -> float:
    """Area that a ring encloses."""
    x, y = ring[:, 0], ring[:, 1]
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2.0


def path(rings: Iterable[Ring]) -> str:
    """Rings as the data of an SVG path, in whole tenths of a pixel from point to point."""
    pieces = []
    for ring in rings:
        points = np.round(ring * 10**DECIMALS).astype(int)
        points = points[np.any(np.diff(points, axis=0, prepend=points[-1:]) != 0, axis=1)]
        if len(points) > 2:
            steps = np.diff(points, axis=0)
            line = "".join(_pair(x, y) for x, y in steps.tolist()).lstrip()
            pieces.append(f"M{_pair(*points[0].tolist()).lstrip()}l{line}z")
    return "".join(pieces)


def _pair(x: int, y: int) -> str:
    return f"{x if x < 0 else f' {x}'}{y if y < 0 else f' {y}'}"


def units(topology: dict[str, Any]) -> dict[str, tuple[str, list[list[int]]]]:
    """Code (none where a unit has no number) to name and rings; parts of one unit are put together.

    A nation of the model that is not in the file is a disc alone.
    """
    found: dict[str, tuple[str, list[list[int]]]] = {}
    for number, unit in enumerate(topology["objects"]["countries"]["geometries"]):
        name, polygons = unit["properties"]["name"], unit.get("arcs", [])
        if unit.get("id") in LEFT_OUT:
            continue
        code = ALPHA3.get(unit.get("id", ""), "") or BY_NAME.get(name) or f"-{number}"
        rings = polygons if unit["type"] == "Polygon" else [r for part in polygons for r in part]
        before = found.get(code, (name, []))
        # The part that lies on the mainland has the nation's name.
        longest = name if len(rings) > len(before[1]) else before[0]
        found[code] = (longest, before[1] + rings)
    return found


def modelled() -> dict[str, tuple[str, float, float]]:
    """Name, latitude and longitude of every nation of the model."""
    lines = NATIONS.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {
        row["iso3"]: (row["name"], float(row["latitude"]), float(row["longitude"])) for row in rows
    }


def draw(topology: dict[str, Any]) -> str:
    """The map as the text of an SVG file."""
    shapes, arcs, known = units(topology), arcs_of(topology), modelled()
    low, high = bounds(shapes, arcs)
    scale = WIDTH / (high[0] - low[0])
    # Thinned border by border, so that neighbours keep one line between them.
    slim = [arc[thinned((project(arc) - low) * scale, TOLERANCE)] for arc in arcs]
    body, discs = [], []
    for code, (name, numbers) in sorted(shapes.items()):
        named = known[code][0] if code in known else name
        rings = [(project(unwrapped(joined(each, slim))) - low) * scale for each in numbers]
        seen = [ring for ring in rings if len(ring) > 2 and area(ring) > LEAST_AREA]
        if seen:
            body.append(_shape(code, named, f'd="{path(seen)}"', "path"))
        points = np.concatenate(rings)
        if not code.startswith("-") and np.ptp(points, axis=0).max() < LEAST_SIZE:
            discs.append(_disc(code, named, points.mean(axis=0)))
    for code, name in DISCS.items():
        _, latitude, longitude = known[code]
        discs.append(
            _disc(code, name, (project(np.array([[longitude, latitude]]))[0] - low) * scale)
        )
    wide, tall = (math.ceil(size * scale * 10**DECIMALS) for size in high - low)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {tall}">'
    return "\n".join([f"<!-- {CREDIT} -->", head, *body, *discs, "</svg>\n"])


def bounds(
    shapes: dict[str, tuple[str, list[list[int]]]], arcs: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest coordinates of everything that is drawn."""
    rings = [ring for _, numbers in shapes.values() for ring in numbers]
    points = np.concatenate([project(unwrapped(joined(ring, arcs))) for ring in rings])
    return points.min(axis=0), points.max(axis=0)


def _shape(code: str, name: str, geometry: str, element: str) -> str:
    escaped = name.replace("&", "&amp;")
    label = "" if code.startswith("-") else f' data-nation="{code}"'
    return f'<{element} class="land"{label} {geometry}><title>{escaped}</title></{element}>'


def _disc(code: str, name: str, place: np.ndarray) -> str:
    x, y = (round(float(value) * 10**DECIMALS) for value in place)
    return _shape(code, name, f'cx="{x}" cy="{y}" r="{RADIUS * 10**DECIMALS:.0f}"', "circle")


def main(source: Path) -> Path:
    """Draw the map from a file of borders; return where it was written."""
    TARGET.write_text(draw(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
    return TARGET


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))
