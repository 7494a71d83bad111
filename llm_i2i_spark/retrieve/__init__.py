"""Stage retrieve: steps of similar users propose interactions that the log lacks (LLM-CF)."""
