"""Stage index: from similarities to the neighbour lists that are served."""
