"""How good an index is: held-out interactions ranked against the whole catalogue, with intervals,
and a report to read.
"""
