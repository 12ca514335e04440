"""`driftloop replay MODEL`: what observer and judge say of a past, under this specification or another.

past        what is read, out of topics; saved: out of a file, which saving has written
history     both source topics from their beginning, in step by event time
trial       the specification and the reference that it is run under
orders      when people's words on silences counted (pure)
pipeline    the folds of observer and judge in one process: records in, windows, alarms and incidents out (pure)
verdict     beside what was told live: identical, or the first difference (pure)
report      in words (pure)
run         the command
"""
