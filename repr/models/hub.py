"""Published weights in the local Hugging Face cache. Nothing is fetched unless the user said so for this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from repr.errors import UserError
from repr.machine import DOWNLOAD


def cached_file(repository: str, names: Sequence[str], what: str) -> Path:
    """The first of some files of a repository that is in the cache; fetched into it where that is allowed (`DOWNLOAD`).

    Raises UserError when none is there and fetching is not allowed, or fails. what: whose they are, for errors.
    """
    try:
        from huggingface_hub import hf_hub_download, try_to_load_from_cache
    except ModuleNotFoundError:
        raise UserError(f"{what} needs the package huggingface_hub", "", "Install it with `pip install huggingface_hub`") from None
    for name in names:
        file = try_to_load_from_cache(repository, name)
        if isinstance(file, str):
            return Path(file)
    if not os.environ.get(DOWNLOAD):
        raise UserError(f"the weights of {what} are not on this machine", "", "Allow to fetch them with `download`, or give another")
    reasons = []
    for name in names:
        try:
            return Path(hf_hub_download(repository, name))
        except Exception as error:  # of the network, the hub and the disk: each library below has its own
            reasons.append(str(error).partition("\n")[0] or type(error).__name__)
    raise UserError(f"the weights of {what} could not be fetched ({reasons[0]})", repository, "Try again, or copy them here by other means")
