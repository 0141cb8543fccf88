"""Commands of ours as text, for reports and messages that say what to type next: complete, and quoted for a shell."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

Value = str | int | float | Path | None


def command_line(command: str, *words: str | Path, **options: Value | Sequence[Value]) -> str:
    """`command`, such as "repr index build", with words and options behind it.

    options: by name ("batch_size" is --batch-size, "k" is -k), once for each value of a sequence; True is a bare switch, None, False and ""
    are left out. Words that begin with a dash follow "--", so that they are not taken for options.
    """
    parts = command.split()
    for name, values in options.items():
        option = f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"
        for value in values if isinstance(values, Sequence) and not isinstance(values, str) else [values]:
            if value is True:
                parts.append(option)
            elif value is not None and value is not False and value != "":
                parts += [f"{option}={value}"] if str(value).startswith("-") else [option, str(value)]
    texts = list(map(str, words))
    return shlex.join([*parts, *(["--"] if any(text.startswith("-") for text in texts) else []), *texts])
