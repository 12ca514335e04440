"""Sums of doubles without any rounding: every double is a whole number of the smallest one, 2^-1074.

So sums are whole numbers, their order never matters, and what was added can be taken out again. They are rounded
once, when they are read, to the nearest double. Of fractions (fractions.py) the same sums take ten times as long:
each addition looks for common divisors.

>>> rounded(sum(map(exact, [0.1, 1e300, 0.2, -1e300])))
0.30000000000000004
"""

from __future__ import annotations

_PLACES = 1_074
_UNIT = 1 << _PLACES


def exact(value: float) -> int:
    """A finite double, in units of the smallest one."""
    numerator, denominator = value.as_integer_ratio()
    return numerator << (_PLACES + 1 - denominator.bit_length())


def rounded(total: int) -> float:
    """The double that is nearest to a sum."""
    return total / _UNIT
