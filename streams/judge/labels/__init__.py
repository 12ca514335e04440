"""Labels come late: how long they take, what a window will be once they are there, and whether to believe that."""
