"""The tables and the figure of the paper, made again beside the published ones."""
