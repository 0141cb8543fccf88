"""What an index says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, cast

from repr.crops import suffix
from repr.lookup.refused import BROKEN, Refused

if TYPE_CHECKING:
    from repr.lookup.store import Store


class MadeWith(TypedDict):
    """The weights that an index was made with, the image size in pixels and the crops that it looks at, and the features' width."""

    identity: str
    name: str
    arch: str
    size: int
    crops: list[float]
    dim: int
    synthetic: bool


def recorded(store: Store) -> MadeWith:
    """What an index was made with, as it stands in index.db. Raises Refused where that is damaged."""
    made = store.setting("weights")
    if not isinstance(made, dict) or not made.keys() >= MadeWith.__annotations__.keys():
        raise Refused("broken", "not a readable index (of what it was made stands nowhere)", store.file, BROKEN)
    return cast(MadeWith, made)


class SearchInfo(TypedDict):
    """How vectors are searched: exactly ("exact"), by lists of them ("ivf"), or of 8 bits a number ("ivf8"), and how many are probed;
    or by a server ("milvus").

    recall_at_10, queries_a_second: as measured against the exact search when it was chosen. outgrown: it is to be chosen anew.
    """

    kind: str
    recall_at_10: float
    lists: int | None
    probes: int | None
    queries_a_second: float | None
    bytes_a_vector: float
    outgrown: bool


class ChangeInfo(TypedDict):
    """One change of an index: when (UTC), by whom, by what, and what it counted."""

    revision: int
    at: str
    who: str
    what: str
    counts: dict[str, int]


class AcceptInfo(TypedDict):
    """From which log-odds on a photograph counts as one of the shop's, and the shares (0-1), measured on stored images, of known ones that
    are called unknown, and of products left out that are not."""

    threshold: float
    known_rejected: float
    strangers_accepted: float


class TrialInfo(TypedDict):
    """One learner that was tried (`repr.lookup.choose.Trial`)."""

    learner: str
    top1: float
    top5: float
    ci95: float | None
    gain: float
    gain_ci95: float | None


class LeakInfo(TypedDict):
    """A `repr.models.provenance.Leak`: the weights have seen images of the build, or may have; figures made on these flatter them."""

    weights: str
    kind: str
    text: str
    share: float | None


class Info(TypedDict):
    """What an index holds. unfinished: the commands that are to be given again. accept: None where the index cannot tell strangers.

    learner: that answers. trials: those it was chosen among, if it was. outgrown: whether it should be chosen anew.
    """

    images: int
    products: int
    revision: int
    search: SearchInfo
    learner: str
    accept: AcceptInfo | None
    trials: list[TrialInfo]
    outgrown: bool
    weights: MadeWith
    leaks: list[LeakInfo]
    root: str
    bytes: int
    complete: bool
    unfinished: list[str]
    created: str
    synthetic: bool
    version: int
    changes: list[ChangeInfo]


def described(content: Info) -> list[str]:
    """The same in words, a line each."""
    weights, search = content["weights"], content["search"]
    probed = f", {search['probes']} of {search['lists']} lists" if search["lists"] else ""
    by_lists = f"{search['kind']}{probed}, recall@10 {search['recall_at_10']:.1%}"
    slow = " - outgrown: compacting the index chooses anew" if search["outgrown"] else ""
    synthetic = " - synthetic: not real products" if content["synthetic"] else ""
    last = content["changes"][0] if content["changes"] else None
    other = " - chosen on far other images: to be chosen anew" if content["outgrown"] else ""
    return [
        f"{content['products']} products in {content['images']} images{synthetic}",
        f"weights  {weights['name']} ({weights['arch']}, {weights['size']} px{suffix(tuple(weights['crops']))}, {weights['identity']})",
        *(f"note     {leak['text']}" for leak in content["leaks"]),
        f"search   {'exact' if search['kind'] == 'exact' else by_lists}{slow}",
        f"learner  {content['learner']}{other}",
        f"unknown  {_unknown(content['accept'])}",
        f"root     {content['root']}",
        f"size     {content['bytes'] / 2**20:.1f} MiB",
        *([f"changed  {last['at']} by {last['who'] or 'somebody'}: {last['what']} (revision {last['revision']})"] if last else []),
        *(f"UNFINISHED, or still at work: {command}" for command in content["unfinished"]),
    ]


def _unknown(accept: AcceptInfo | None) -> str:
    if accept is None:
        return "nothing: the images are too few to tell strangers by"
    rejected, accepted = accept["known_rejected"], accept["strangers_accepted"]
    return f"{rejected:.1%} of known photographs; {accepted:.1%} of products left out pass as known"
