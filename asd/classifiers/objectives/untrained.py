"""A system without training: pooled embeddings of an encoder as it is."""

from typing import Literal

from asd.classifiers.params import OBJECTIVES, Objective, Trained
from asd.classifiers.task import Task
from asd.classifiers.tuning.tuned import embed_tuned


@OBJECTIVES.register("none")
class Untrained(Objective):
    """No training: the encoder's initial weights are used as they are."""

    objective: Literal["none"]

    def train(self, task: Task) -> Trained:
        """Take the encoder's weights as they are."""
        return dict(task.network().state_dict()), {"steps": 0}

    embed = staticmethod(embed_tuned)
