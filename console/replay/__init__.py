"""`driftloop replay MODEL`: what observer and judge say of the topics' history, under this specification or another.

history     both topics from their beginning, in step by event time
orders      when people's words on silences counted (pure)
pipeline    the folds of observer and judge in one process: records in, windows, alarms and incidents out (pure)
verdict     beside what was told live: identical, or the first difference (pure)
report      in words (pure)
run         the command
"""
