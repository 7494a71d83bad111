"""Stage discriminate: the discriminator scores how credible proposed and real interactions are."""
