"""Stage ingest: the raw log and catalogue become validated, deduplicated, split interactions, items
and item statistics.
"""
