"""What was written before: the state's records, older layouts, offsets set back and what is then read again."""
