"""Stage combine: what mixes the components of a blend, and the training job of its combiner."""
