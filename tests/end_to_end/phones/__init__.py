"""Drivers of SIP phones of other makes, each a process of its own."""
