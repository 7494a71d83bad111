"""Stage generate: the generator proposes interactions that the log lacks, in Spark's workers."""
