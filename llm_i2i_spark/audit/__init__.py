"""Floor 2: the history of all tables, read backwards. It writes nothing, and no stage reads it."""
