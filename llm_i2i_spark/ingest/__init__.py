"""Stage ingest: from the raw log and catalogue to validated, deduplicated interactions with their
folds, items and item statistics.
"""
