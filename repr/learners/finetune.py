"""Full fine-tuning, the transfer of the MEP-3M paper (section 7.2): train on the base shots, then on base and novel shots.

The paper does not say whether base images are seen again with the novel ones: memory=None, the default, replays
every base shot; memory=0 trains on the novel shots alone, and forgets.
"""

from __future__ import annotations

from repr.learners.trained import Trained


class Finetune(Trained):
    """Cross-entropy on all parameters in every step; the head's old rows stay where they are and new ones are drawn."""
