"""A first look at a click log and its catalogue, before anything is made of them."""
