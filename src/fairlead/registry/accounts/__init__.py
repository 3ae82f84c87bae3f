"""People and programs: who they are, what they may do, and a record of what they did."""
