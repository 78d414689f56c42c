"""Numbers as Redis reads and writes them, byte for byte.

Integers: only the canonical form of a 64-bit integer counts as one.  Doubles: what C's ``strtod`` reads, of
the whole string, without white space, and without a NaN; a result that overflowed, or vanished, is refused.

``INCRBYFLOAT`` and ``HINCRBYFLOAT`` are defined by C's ``long double``, which on x86-64 is the x87 format:
64 bits of mantissa, 15 of exponent.  Python has no such type.  :class:`LongDouble` is one, in exact integer
arithmetic with the rounding of the hardware (to nearest, ties to even), so that 0.1 + 0.2 is 0.3 here as it
is there.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Final, NamedTuple

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1

_DECIMAL: Final = re.compile(rb"([+-]?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
_HEX: Final = re.compile(
    rb"([+-]?)0[xX](?=\.?[0-9a-fA-F])([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?(?:[pP]([+-]?[0-9]+))?"
)
_PAIR: Final = re.compile(rb"([0-9]{1,18})-([0-9]{1,18})")
_INFINITY: Final = re.compile(rb"([+-]?)inf(?:inity)?", re.IGNORECASE)

_INFINITIES: Final = {b"-inf": -math.inf, b"+inf": math.inf, b"inf": math.inf}  # as they are mostly written

_MANTISSA_BITS: Final = 64
_MIN_EXPONENT: Final = -16445  # of the last bit of a denormal long double
_MAX_EXPONENT: Final = 16384  # long doubles are below 2 to this power
_MAX_LENGTH: Final = 5 * 1024  # Redis's buffer for a long double: longer strings are no numbers
_FAR: Final = 2 * _MAX_EXPONENT + 8 * _MAX_LENGTH  # an exponent this far out needs no arithmetic
_DECIMALS: Final = 17  # what INCRBYFLOAT prints
_ZERO: Final = ord("0")
_SHORT_DECIMAL: Final = re.compile(rb"(?=.{1,40}\Z)-?[0-9]+(\.[0-9]+)?")
_SHORT: Final = 40  # characters of a number that is read without looking closer
_SHORT_FRACTION: Final = 7  # point and digits behind it, up to which a double has no exponent
_WHOLE: Final = 2.0**62  # up to it whole numbers are printed as integers


def parse_int(data: bytes | bytearray) -> int | None:
    """A 64-bit integer, or None.

    Only the canonical form is one: no ``+``, no white space, no leading zeros, no ``-0``.
    """
    if len(data) < 19 and data.isdigit() and (data[0] != _ZERO or len(data) == 1):
        return int(data)
    if len(data) > 20:
        return None
    try:
        number = int(data)
    except ValueError:
        return None
    if not INT64_MIN <= number <= INT64_MAX or b"%d" % number != data:
        return None
    return number


def parse_float(data: bytes | bytearray) -> float | None:
    """A double (``1``, ``.5``, ``1e3``, ``0x1p-2``, ``-inf``), or None; NaN, too, gives None."""
    if len(data) <= _SHORT and data.isdigit():
        return float(data)
    if len(data) <= _SHORT and not data.translate(None, b"0123456789.-"):
        # Neither overflow nor underflow can come of so few digits, and `float` refuses what is none.
        try:
            return float(data)
        except ValueError:
            return None
    if match := _DECIMAL.fullmatch(data):
        value = float(data)
    elif match := _HEX.fullmatch(data):
        try:
            value = float.fromhex(data.decode("ascii"))
        except OverflowError:
            return None
    elif match := _INFINITY.fullmatch(data):
        return -math.inf if match[1] == b"-" else math.inf
    else:
        return None
    if math.isinf(value) or (value == 0 and _digits(match).strip(b"0")):
        return None
    return value


def parse_bound(data: bytes) -> float | None:
    """A bound on scores, which C's ``strtod`` reads with less care than `parse_float`; None if it is none.

    It ends at the first NUL, may begin with white space, be empty (0) or overflow (an infinity).
    """
    if len(data) <= _SHORT and data.isdigit():
        return float(data)
    if data in _INFINITIES:
        return _INFINITIES[data]
    text = data.partition(b"\0")[0]
    if not text:
        return 0.0
    text = text.lstrip(b" \t\n\v\f\r")
    if _DECIMAL.fullmatch(text):
        return float(text)
    if match := _HEX.fullmatch(text):
        try:
            return float.fromhex(text.decode("ascii"))
        except OverflowError:
            return -math.inf if match[1] == b"-" else math.inf
    return parse_float(text)


def format_double(value: float) -> bytes:
    """A double as Redis 7.2 and later print it: the fewest digits that give it back; ``inf``, ``nan``.

    Whole numbers up to 2**62 have all their digits, others an exponent if they are far from 1. (Redis 7.0
    prints 17 significant digits, 0.10000000000000001 for 0.1.)
    """
    if -_WHOLE <= value <= _WHOLE:
        number = int(value)
        if number == value:
            return b"%d" % number if number or math.copysign(1.0, value) > 0 else b"-0"
    text = repr(value)
    if "e" not in text and 0 < len(text) - text.find(".") <= _SHORT_FRACTION:
        return text.encode("ascii")
    return _shortest(text) if math.isfinite(value) else text.encode("ascii")


def dashed(first: int, second: int) -> bytes:
    """Two numbers as ``first-second``. O(1). Compiled callers have it from `_numbers`."""
    return b"%d-%d" % (first, second)


def dashed_halves(whole: int) -> bytes:
    """`dashed` of a number's upper bits and its lower 64. O(1). Compiled callers have it from `_numbers`."""
    return b"%d-%d" % (whole >> 64, whole & 0xFFFFFFFFFFFFFFFF)


def dashed_pair(text: bytes) -> int | None:
    """The number whose halves stand as ``first-second``, each of up to 18 digits; None if it is no such text.

    O(1). Compiled callers have it from `_numbers`.
    """
    match = _PAIR.fullmatch(text)
    return None if match is None else int(match[1]) << 64 | int(match[2])


def _shortest(text: str) -> bytes:
    """What Python prints of a finite double, in the form that Redis chooses by its digits and exponent."""
    sign = "-" if text[0] == "-" else ""
    mantissa, _, power = text.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    scale = int(power or "0") - len(fraction)
    scale += len(digits) - len(digits.rstrip("0"))
    digits = digits.rstrip("0")
    count = len(digits)
    exponent = scale + count - 1
    if scale >= 0 and exponent < count + 7:
        return (sign + digits + "0" * scale).encode("ascii")
    if scale < 0 and (scale > -7 or abs(exponent) < 4):
        point = count + scale
        if point <= 0:
            return f"{sign}0.{'0' * -point}{digits}".encode("ascii")
        return f"{sign}{digits[:point]}.{digits[point:]}".encode("ascii")
    fraction = "." + digits[1:] if count > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{exponent:+d}".encode("ascii")


class LongDouble(NamedTuple):
    """A finite x87 ``long double``, mantissa * 2**exponent, or an infinity (its exponent is ``_FAR``)."""

    mantissa: int
    exponent: int


def parse_long_double(data: bytes | bytearray) -> LongDouble | None:
    """A long double, or None; the syntax is that of :func:`parse_float`."""
    if len(data) >= _MAX_LENGTH:
        return None
    if match := _DECIMAL.fullmatch(data):
        base, numerator = 10, int(Decimal(_digits(match).decode("ascii")))
        power = _clamped(match[4]) - len(match[3] or b"")
    elif match := _HEX.fullmatch(data):
        base, numerator = 2, int(_digits(match), 16)
        power = _clamped(match[4]) - 4 * len(match[3] or b"")
    elif match := _INFINITY.fullmatch(data):
        return LongDouble(-1 if match[1] == b"-" else 1, _FAR)
    else:
        return None
    if numerator == 0:
        return LongDouble(0, 0)
    if abs(power) >= _FAR:
        return None
    if match[1] == b"-":
        numerator = -numerator
    rounded = _rounded(numerator * base ** max(power, 0), base ** max(-power, 0))
    return rounded if rounded is not None and rounded.mantissa else None


def add_long_doubles(a: LongDouble, b: LongDouble) -> LongDouble | None:
    """The sum, rounded as x87 does; None if it is infinite or not a number."""
    if a.exponent == _FAR or b.exponent == _FAR:
        return None
    low = min(a.exponent, b.exponent)
    total = (a.mantissa << (a.exponent - low)) + (b.mantissa << (b.exponent - low))
    if low >= 0:
        return _rounded(total << low, 1)
    return _rounded(total, 1 << -low)


def format_long_double(value: LongDouble) -> bytes:
    """A finite long double as INCRBYFLOAT prints it: 17 decimals, never an exponent, no zeros at the end."""
    if value.exponent >= 0:
        # Decimal, because int refuses to print more than 4300 digits.
        return format(Decimal(value.mantissa << value.exponent), "f").encode("ascii")
    scaled = _divided_to_even(abs(value.mantissa) * 10**_DECIMALS, 1 << -value.exponent)
    digits = b"%0*d" % (_DECIMALS + 1, scaled)
    text = (digits[:-_DECIMALS] + b"." + digits[-_DECIMALS:]).rstrip(b"0").rstrip(b".")
    return b"-" + text if value.mantissa < 0 and text != b"0" else text


def sum_of_decimals(one: bytes, other: bytes) -> bytes | None:
    """The text of the sum of two short decimals as INCRBYFLOAT has it; None if they are not such. O(1)."""
    if not (_SHORT_DECIMAL.fullmatch(one) and _SHORT_DECIMAL.fullmatch(other)):
        return None
    first, second = parse_long_double(one), parse_long_double(other)
    if first is None or second is None:
        return None
    total = add_long_doubles(first, second)
    return None if total is None else format_long_double(total)


def format_memory(size: int) -> str:
    """A size in bytes for people, as INFO prints it: ``512B``, ``1.50K``, ``2.00G``."""
    if size < 1024:
        return f"{size}B"
    scaled = float(size)
    for unit in "KMGTP":
        scaled /= 1024
        if scaled < 1024:
            return f"{scaled:.2f}{unit}"
    return f"{size}B"


def _digits(match: re.Match[bytes]) -> bytes:
    """The digits of a number, without its sign, point and exponent."""
    whole: bytes = match[2]
    return whole + (match[3] or b"")


def _clamped(exponent: bytes | None) -> int:
    """The written exponent; one of more than nine digits is far out, and might be too long to convert."""
    if exponent is None:
        return 0
    digits = exponent.lstrip(b"+-").lstrip(b"0")
    number = int(digits or b"0") if len(digits) < 10 else 10 * _FAR
    return -number if exponent.startswith(b"-") else number


def _divided_to_even(numerator: int, denominator: int) -> int:
    """numerator / denominator (not negative), rounded to the nearest integer, ties to even."""
    quotient, rest = divmod(numerator, denominator)
    rest *= 2
    if rest > denominator or (rest == denominator and quotient & 1):
        quotient += 1
    return quotient


def _rounded(numerator: int, denominator: int) -> LongDouble | None:
    """The long double nearest to a ratio; None if it overflows."""
    if numerator == 0:
        return LongDouble(0, 0)
    size = abs(numerator)
    exponent = size.bit_length() - denominator.bit_length() - _MANTISSA_BITS
    exponent = max(exponent, _MIN_EXPONENT)
    if _scaled_floor(size, denominator, exponent) >> _MANTISSA_BITS:
        exponent += 1
    if exponent >= 0:
        mantissa = _divided_to_even(size, denominator << exponent)
    else:
        mantissa = _divided_to_even(size << -exponent, denominator)
    if mantissa.bit_length() + exponent > _MAX_EXPONENT:
        return None
    return LongDouble(mantissa if numerator > 0 else -mantissa, exponent)


def _scaled_floor(size: int, denominator: int, exponent: int) -> int:
    """The integer part of size / denominator / 2**exponent."""
    if exponent >= 0:
        return size // (denominator << exponent)
    return (size << -exponent) // denominator


# In C where it was built; what is above is the specification.
parse_int_slowly, parse_float_slowly, parse_bound_slowly = parse_int, parse_float, parse_bound
try:
    from nogil_df.base._numbers import parse_bound as parse_bound
    from nogil_df.base._numbers import parse_float as parse_float
    from nogil_df.base._numbers import parse_int as parse_int
except ImportError:
    pass

# The same, where long doubles are what they are here.
sum_of_decimals_slowly = sum_of_decimals
try:
    from nogil_df.base._long_doubles import sum_of_decimals as sum_of_decimals
except ImportError:
    sum_of_decimals = sum_of_decimals_slowly
