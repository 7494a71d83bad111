"""The whole configuration of a run: all sections together, read from YAML files and `--set`."""
