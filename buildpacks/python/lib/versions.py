"""Decides whether a Python version meets what a file asks for, in the dialects of PEP 440, Poetry and plain numbers."""

import re


def numbers(text):
    return [int(part) for part in re.findall(r"\d+", text)]


def padded(version, length=3):
    return (version + [0] * length)[:length]


def meets(version, wanted):
    """Tells whether a version such as 3.11.2 meets `>=3.10,<4`, `^3.11`, `~3.11`, `3.11` or `3.11.2`."""
    wanted = wanted.strip()
    if "||" in wanted:
        return any(meets(version, part) for part in wanted.split("||"))
    return all(meets_one(numbers(version), part) for part in re.split(r"[,\s]+(?=[<>=!~^\d*])", wanted) if part)


def meets_one(version, clause):
    operator, operand = re.match(r"\s*(===?|!=|>=|<=|>|<|~=|~|\^)?\s*(.*?)\s*$", clause).groups()
    if operand in ("", "*"):
        return True
    goal = numbers(operand)
    prefix = version[: len(goal)] == goal
    if operator in (None, "==", "==="):
        # `3.11` alone asks for any 3.11; PEP 440's `==3.11` would mean 3.11.0 and is hardly ever meant.
        return prefix
    if operator == "!=":
        return not prefix
    if operator in (">=", "<=", ">", "<"):
        left, right = padded(version), padded(goal)
        return {">=": left >= right, "<=": left <= right, ">": left > right, "<": left < right}[operator]
    keep = {"~=": len(goal) - 1, "~": min(len(goal), 2), "^": 1}[operator]
    return padded(version) >= padded(goal) and version[:keep] == goal[:keep]
