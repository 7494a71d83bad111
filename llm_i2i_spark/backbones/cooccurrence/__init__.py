"""backbones/cooccurrence."""
