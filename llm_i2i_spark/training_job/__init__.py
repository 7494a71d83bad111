"""Training jobs without Spark: started by a stage as a child process, or from a shell.

A job is the program `__main__` of its stage's folder. Nothing here changes what a job computes.
"""
