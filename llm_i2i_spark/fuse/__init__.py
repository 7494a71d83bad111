"""Stage fuse: real and credible synthetic interactions in one weighted log for each variant."""
