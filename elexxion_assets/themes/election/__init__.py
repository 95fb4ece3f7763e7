"""Election results of the ministry of the Interior."""
