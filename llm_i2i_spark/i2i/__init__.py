"""Stage i2i: from weighted user-item edges to item similarities by Swing, with two engines that
give one result.
"""
