"""XMP packets as text: the recipe inside them, everything else left as it was.

A packet is edited as text and not through an XML tree, so that what other programs wrote keeps its
prefixes, its order and its padding.
"""

from __future__ import annotations

import html
import json
import re
from xml.sax.saxutils import escape

from ganfilters.errors import ImageError
from ganfilters.recipe import Recipe

__all__ = ["NAMESPACE", "comment", "from_comment", "merge", "split"]

NAMESPACE = "https://ganfilters.invalid/ns/1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_COMMENT = "ganfilters recipe: "

_OURS = re.compile(
    rf"""<rdf:Description\ rdf:about=""\ xmlns:rdf="{re.escape(_RDF)}"\ """
    rf"""xmlns:ganfilters="{re.escape(NAMESPACE)}">\s*<ganfilters:recipe>.*?</ganfilters:recipe>"""
    r"""\s*</rdf:Description>\s*""",
    re.DOTALL | re.VERBOSE,
)
_PREFIX = re.compile(rf"""xmlns:([\w.-]+)\s*=\s*["']{re.escape(NAMESPACE)}["']""")
_EMPTY = re.compile(r"<(?P<rdf>[\w.-]+):RDF[^>]*(?:/>|>\s*</(?P=rdf):RDF>)", re.DOTALL)


def _recipe_places(text: str) -> list[re.Match[str]]:
    """Return where recipes lie, as an element or, as other programs rewrite it, an attribute."""
    found: list[re.Match[str]] = []
    for prefix in dict.fromkeys(_PREFIX.findall(text)):
        name = re.escape(prefix) + ":recipe"
        found += re.finditer(rf"<{name}(?:\s[^>]*)?>(?P<v>.*?)</{name}\s*>", text, re.DOTALL)
        found += re.finditer(rf"""\s{name}\s*=\s*(?P<q>["'])(?P<v>.*?)(?P=q)""", text, re.DOTALL)
    return found


def _without_recipe(text: str) -> str:
    text = _OURS.sub("", text)
    for match in sorted(_recipe_places(text), key=re.Match.start, reverse=True):
        text = text[: match.start()] + text[match.end() :]
    return text


def split(packet: bytes | None) -> tuple[bytes | None, Recipe | None]:
    """Return the packet without its recipe, None if nothing else is in it, and the recipe.

    A recipe that this version cannot read stays in the packet.
    """
    if not packet:
        return None, None
    try:
        text = packet.decode("utf-8")
    except UnicodeDecodeError:
        return packet, None
    for match in _recipe_places(text):
        try:
            recipe = Recipe.from_json(html.unescape(match["v"].strip()))
        except ImageError:
            continue
        rest = _without_recipe(text)
        return (None if _EMPTY.search(rest) else rest.encode()), recipe
    return packet, None


def merge(packet: bytes | None, recipe: Recipe | None) -> bytes | None:
    """Return the packet with the recipe in place of an older one; a new packet if there is none."""
    if recipe is None:
        return packet
    description = (
        f'<rdf:Description rdf:about="" xmlns:rdf="{_RDF}" xmlns:ganfilters="{NAMESPACE}">'
        f"<ganfilters:recipe>{escape(recipe.to_json())}</ganfilters:recipe></rdf:Description>"
    )
    if packet:
        try:
            text = _without_recipe(packet.decode("utf-8"))
        except UnicodeDecodeError:
            text = ""
        ends = list(re.finditer(r"</[\w.-]+:RDF\s*>", text))
        if ends:
            place = ends[-1].start()
            return (text[:place] + description + text[place:]).encode()
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">'
        f'{description}</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def upright(packet: bytes | None) -> bytes | None:
    """Return the packet with ``tiff:Orientation`` set to 1, for a picture that was turned."""
    if packet is None:
        return None
    packet = re.sub(rb"""(tiff:Orientation\s*=\s*["'])[1-8](["'])""", rb"\g<1>1\2", packet)
    return re.sub(rb"(<tiff:Orientation>\s*)[1-8](\s*</tiff:Orientation>)", rb"\g<1>1\2", packet)


def trimmed(packet: bytes) -> bytes:
    """Return the packet without the padding that writers leave for later edits."""
    return re.sub(rb"\s{8,}(?=<\?xpacket end)", b"\n", packet)


def comment(recipe: Recipe) -> str:
    """Return the recipe as a comment, ASCII only, for formats that have no XMP."""
    return _COMMENT + json.dumps(json.loads(recipe.to_json()), separators=(",", ":"))


def from_comment(text: bytes | str | None) -> Recipe | None:
    """Return the recipe of a comment, or None if it holds none that can be read."""
    if isinstance(text, bytes):
        text = text.decode("ascii", "replace")
    start = -1 if text is None else text.find(_COMMENT)
    if text is None or start < 0:
        return None
    try:
        return Recipe.from_json(text[start + len(_COMMENT) :].splitlines()[0])
    except (ImageError, IndexError):
        return None
