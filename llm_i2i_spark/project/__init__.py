"""The front door: `Project`, what its runs give back, and the parts it is made of."""

from llm_i2i_spark.project.project import Project
from llm_i2i_spark.project.results import ProjectRun, ServedIndex

__all__ = ["Project", "ProjectRun", "ServedIndex"]
