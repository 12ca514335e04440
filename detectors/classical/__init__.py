"""The detectors of the literature, as river 0.26 has them, a batch at a time: for who asks for one by name.

Each file is one detector: ``Settings`` (river's parameters and defaults), ``start``, ``scan(settings, state, values)
-> (state, Found)`` with the positions of alarms and warnings in the values given, and the face of every other
detector (``step``, ``to_bytes``, ``from_bytes``, ``BOUND``); face.py makes them. The positions are those that river's
own object gives, updated value by value; how the stream is cut into batches changes neither them nor the bytes of the
state.

**None of them states a bound for its false alarms** over a run: docs/detectors.md says what was measured, and what to
take instead.
"""
