"""Short generated sentences on food or on software: which is it?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Annotated, Final, Literal, final

import numpy as np
from pydantic import Field

from qrnn_qiskit.learning.dataset import Dataset, Splits
from qrnn_qiskit.learning.parts import part_bounds

_SUBJECTS: Final = ("man", "woman")
_SKILLS: Final = ("", "skillful")
# The topic that a word belongs to: 0 or 1, or -1 if it goes with both.
_FLAVOURS: Final = {"": -1, "tasty": 0, "useful": 1}
_VERBS: Final = {"cooks": 0, "bakes": 0, "runs": 1, "debugs": 1, "prepares": -1, "makes": -1}
_OBJECTS: Final = {
    "dinner": 0,
    "sauce": 0,
    "meal": 0,
    "program": 1,
    "software": 1,
    "application": 1,
}
_STEPS: Final = 5
_SILENCE: Final = -1.0
_DATA_STREAM: Final = 0


@final
@dataclass(frozen=True, slots=True)
class Sentences:
    """[skillful] subject verb [adjective] object, all that make sense, of food (0) or software (1).

    A generated grammar in the manner of the meaning-classification task of quantum language models
    (Lorenz et al., arXiv:2102.12846); the words are ours. Every word is one number in [-1, 1], the
    words at equal distances in alphabetical order; a shorter sentence starts with silence, -1.
    Verbs and adjectives may tell the topic early; only the object always does.

    Attributes:
        count: sentences used, drawn without repetition.
        split: parts for training, validation and test.
        target: `sign`: 1 for food, -1 for software, at every step; `label`: 0 or 1.
    """

    count: Annotated[int, Field(ge=3)] = 130
    split: tuple[float, float, float] = (0.77, 0.0, 0.23)
    target: Literal["sign", "label"] = "sign"

    def load(self, seed: int) -> Splits:
        """The three parts; `seed` draws and orders the sentences."""
        every = sentences()
        random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_DATA_STREAM,)))
        chosen = random.permutation(len(every))[: self.count]
        words = sorted({word for sentence, _ in every for word in sentence})
        number = dict(zip(words, np.linspace(_SILENCE, 1.0, len(words) + 1)[1:], strict=True))
        features = np.full((len(chosen), _STEPS, 1), _SILENCE)
        labels = np.empty((len(chosen), _STEPS, 1))
        for i, (sentence, topic) in enumerate(every[c] for c in chosen):
            features[i, _STEPS - len(sentence) :, 0] = [number[word] for word in sentence]
            labels[i] = topic
        targets = labels if self.target == "label" else 1.0 - 2.0 * labels
        bounds = part_bounds(len(chosen), self.split)
        parts = [Dataset(features[a:b], targets[a:b]) for a, b in bounds]
        return Splits(parts[0], parts[1], parts[2], ("word",), ("topic",), (None,))


def sentences() -> list[tuple[tuple[str, ...], int]]:
    """All sentences with their topic, in a fixed order."""
    found = []
    for skill, subject, verb, flavour, thing in product(
        _SKILLS, _SUBJECTS, _VERBS, _FLAVOURS, _OBJECTS
    ):
        topic = _OBJECTS[thing]
        if _VERBS[verb] in (topic, -1) and _FLAVOURS[flavour] in (topic, -1):
            words = (skill, subject, verb, flavour, thing)
            found.append((tuple(word for word in words if word), topic))
    return found


PROVIDES = Sentences
