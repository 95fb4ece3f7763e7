"""The lake: where things lie, how they are stored, what became of every delivery, how tables are made and replaced."""
