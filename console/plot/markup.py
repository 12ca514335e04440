"""Elements of a page. Text and attributes are escaped as it is written: names of models and features are foreign."""

from __future__ import annotations

from xml.etree import ElementTree

Element = ElementTree.Element
Child = Element | str | None


def el(tag: str, *children: Child, **attributes: object) -> Element:
    """An element. ``class_`` is class, an underscore in a name is a dash; an attribute that is None is left out.

    >>> ElementTree.tostring(el("p", "a < b", el("b", "!"), class_="x")).decode()
    '<p class="x">a &lt; b<b>!</b></p>'
    """
    known = {k.strip("_").replace("_", "-"): v for k, v in attributes.items() if v is not None}
    found = Element(tag, {k: f"{v:.1f}" if isinstance(v, float) else str(v) for k, v in known.items()})
    for child in children:
        add(found, child)
    return found


def add(parent: Element, child: Child) -> None:
    """Behind what it has."""
    if isinstance(child, Element):
        parent.append(child)
    elif child is not None and len(parent):
        parent[-1].tail = (parent[-1].tail or "") + child
    elif child is not None:
        parent.text = (parent.text or "") + child


def written(page: Element) -> str:
    """The page as HTML."""
    return "<!DOCTYPE html>\n" + ElementTree.tostring(page, encoding="unicode", method="html")
