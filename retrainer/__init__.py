"""WHAT to do: decide, train in a process of its own, prove, publish; every decision on the record."""
