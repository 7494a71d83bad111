"""Stage index: the served neighbour lists, looking up a click list in them, and handing them to
other programs.
"""
