"""LLM-I2I on Spark: an item-to-item index, improved by a language model that mends the click log.

Importing the package loads neither Spark nor torch; each stage imports the world it needs.
"""

__version__ = "0.1.0"
