"""Numbers as people read them, by the unit that a dashboard gives its panel."""
import math

SIZES = [(1e9, "G"), (1e6, "M"), (1e3, "k")]
TIMES = [(86400, "d"), (3600, "h"), (60, "min")]


def digits(value, most=1):
    """As many decimals as mean something."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:.0f}"
    text = f"{value:.{most if abs(value) >= 1 else most + 1}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def shown(value, unit):
    """The value with its unit."""
    if math.isnan(value):
        return "-"
    if unit == "percent":
        return f"{digits(value)} %"
    if unit == "s":
        return f"{digits(value * 1000)} ms" if 0 < abs(value) < 1 else f"{digits(value)} s"
    if unit == "dtdurations":
        for size, name in TIMES:
            if value >= size:
                return f"{value / size:.0f} {name}"
        return f"{value:.0f} s"
    if unit == "Bps":
        for size, name in SIZES:
            if abs(value) >= size:
                return f"{digits(value / size)} {name}B/s"
        return f"{digits(value)} B/s"
    return digits(value)


def ticks(least, most, wanted=4):
    """Round numbers from the least to the most, about as many as are wanted, ends included."""
    span = max(most - least, 1e-9)
    raw = span / wanted
    power = 10 ** math.floor(math.log10(raw))
    step = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= raw * 0.999)
    first, last = math.floor(least / step), math.ceil(most / step)
    return [number * step for number in range(first, last + 1)]
