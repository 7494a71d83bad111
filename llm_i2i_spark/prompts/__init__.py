"""What the models read: the wording of the prompts, and how items and histories are written into
it. Text only.
"""
