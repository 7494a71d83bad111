"""Serving: looking up a click list without Spark, publishing an index to the stores that serve it,
and the top list of every user.
"""
