"""Floor 2: the generator proposes interactions that the log lacks, inside Spark partitions."""
