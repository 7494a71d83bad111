"""A search for the settings of a variant and backbone, on the validation fold alone."""
