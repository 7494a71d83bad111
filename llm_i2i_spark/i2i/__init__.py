"""Stage i2i: from weighted interactions to item similarities, by any backbone."""
