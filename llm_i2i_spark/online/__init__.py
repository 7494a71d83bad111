"""Measures of an A/B test from its event log, and what a lookup would have shown to users whose
next interaction is known.
"""
