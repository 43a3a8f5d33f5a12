"""Pictures of flows: a flow becomes a chart of boxes and arrows, the chart a layout, the layout SVG, Mermaid or PNG.

Rule 1: everything here but `png` is pure. The same flow gives the same picture, octet for octet, on every machine.

Rule 2: a picture is drawn from `exits(step)` and the table of `looks`. A verb that is not in the table is drawn, too.
"""
