"""Sequences of words: their rules, recomputed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qrnn_qiskit.errors import DataError, SpecError
from qrnn_qiskit.learning.dataset import Splits
from qrnn_qiskit.learning.datasets.sentences import sentences
from qrnn_qiskit.learning.plugins import DATASETS

RANDOM: dict[str, dict[str, Any]] = {
    "elman_xor": {},
    "elman_letters": {},
    "dna": {},
    "sentences": {},
}


def load(name: str, seed: int = 0, **options: Any) -> Splits:
    splits: Splits = DATASETS.build(name, options).load(seed)
    return splits


def words_of(features: NDArray[np.float64]) -> NDArray[np.intp]:
    """Words from bits `[N, T, F]`, the highest first."""
    return (features @ 2.0 ** np.arange(features.shape[2])[::-1]).astype(np.intp)


@pytest.mark.parametrize("name", RANDOM)
def test_seeds(name: str) -> None:
    first, again, other = load(name, 1), load(name, 1), load(name, 2)
    np.testing.assert_array_equal(first.train.features, again.train.features)
    np.testing.assert_array_equal(first.train.targets, again.train.targets)
    assert np.any(first.train.features != other.train.features)
    count = min(first.train.num_sequences, first.test.num_sequences)
    assert np.any(first.train.features[:count] != first.test.features[:count])


def test_numbers_of_sequences() -> None:
    splits = load("dna", sequences=[5, 0, 3])
    parts = (splits.train, splits.validation, splits.test)
    assert [p.num_sequences for p in parts] == [5, 0, 3]
    with pytest.raises(SpecError, match=r"data\.sequences\[0\] = 0: must be greater than 0"):
        load("dna", sequences=[0, 1, 1])


def test_simple_sequence() -> None:
    splits = load("simple_sequence")
    first, second = words_of(splits.train.features).tolist()
    assert first == [0, 1, 2, 3] * 4 + [0, 1, 2]
    assert second == [4] * 19
    assert splits.train.targets[0, :, 0].tolist() == [*first[1:], 3]
    assert splits.train.targets[1, :, 0].tolist() == second
    assert splits.test.num_sequences == 0
    again = load("simple_sequence", repeated=True)
    np.testing.assert_array_equal(again.test.features, splits.train.features)


def test_elman_xor() -> None:
    splits = load("elman_xor", triples=4)
    bits, targets = splits.train.features[:, :, 0], splits.train.targets[:, :, 0]
    assert bits.shape == (64, 11)
    for t in range(11):
        if t % 3 == 1:
            np.testing.assert_array_equal(targets[:, t], 1 - 2 * (bits[:, t - 1] != bits[:, t]))
        else:
            assert not targets[:, t].any()
    third = bits[:, 2::3]
    np.testing.assert_array_equal(third, bits[:, 0:9:3] != bits[:, 1:9:3])
    words = load("elman_xor", triples=4, targets="words")
    assert words.train.features.shape == (64, 11, 2)
    np.testing.assert_array_equal(words.train.features[:, :, 1], bits)
    assert not words.train.features[:, :, 0].any()
    np.testing.assert_array_equal(
        words.train.targets[:, :, 0], np.choose(targets.astype(np.intp) + 1, [1, 2, 0])
    )


def test_elman_letters() -> None:
    splits = load("elman_letters", length=12)
    words = words_of(splits.train.features)
    assert words.shape == (64, 11)
    texts = ["".join("bdgaiu"[w] for w in row) for row in words]
    grown = {"b": "a", "d": "ii", "g": "uuu"}
    for text, targets in zip(texts, splits.train.targets[:, :, 0], strict=True):
        rest = ""
        for letter, target in zip(text, targets, strict=True):
            if not rest:
                assert letter in grown
                rest = grown[letter]
            else:
                assert letter == rest[0]
                rest = rest[1:]
            assert target == ("bdgaiu".index(rest[0]) if rest else 6)
    assert {text[0] for text in texts} == set("bdg")


def test_dna() -> None:
    splits = load("dna", length=7)
    mark, bases = splits.train.features[:, :, 0], words_of(splits.train.features[:, :, 1:])
    np.testing.assert_array_equal(mark.sum(axis=1), 1.0)
    assert not mark[:, 3:].any()
    marked = (mark * bases).sum(axis=1)
    np.testing.assert_array_equal(splits.train.targets[:, -1, 0], marked)
    assert set(marked) == {0, 1, 2, 3}
    assert set(mark.argmax(axis=1)) == {0, 1, 2}


def test_sentences() -> None:
    every = sentences()
    assert len(every) == len(set(every)) == 192
    assert sum(topic for _, topic in every) == 96
    assert len({word for sentence, _ in every for word in sentence}) == 17
    assert (("skillful", "woman", "debugs", "useful", "program"), 1) in every
    assert not any("tasty" in sentence and topic for sentence, topic in every)
    splits = load("sentences", target="label")
    words = sorted({word for sentence, _ in every for word in sentence})
    topics = dict(every)
    texts = set()
    for part in (splits.train, splits.test):
        for features, targets in zip(part.features[:, :, 0], part.targets[:, :, 0], strict=True):
            place = np.rint((features + 1.0) * 8.5).astype(int)  # 0 is silence
            text = tuple(words[p - 1] for p in place if p > 0)
            assert not place[: 5 - len(text)].any()
            assert set(targets) == {topics[text]}
            texts.add(text)
    assert len(texts) == 130
    signs = load("sentences")
    np.testing.assert_array_equal(signs.train.targets, 1.0 - 2.0 * splits.train.targets)


def test_words_that_are_given() -> None:
    """To the features of a step, the bits of the label of the step before; 0 at first."""
    for name in ("simple_sequence", "elman_letters"):
        plain, given = load(name, 4), load(name, 4, given=True)
        np.testing.assert_array_equal(given.train.features[:, :, :3], plain.train.features)
        np.testing.assert_array_equal(given.train.targets, plain.train.targets)
        told = words_of(given.train.features[:, :, 3:])
        assert np.all(told[:, 0] == 0)
        np.testing.assert_array_equal(told[:, 1:], plain.train.targets[:, :-1, 0])
        assert given.feature_names[3:] == ("given 2", "given 1", "given 0")
    xor = load("elman_xor", 4, given=True, targets="words").train
    np.testing.assert_array_equal(words_of(xor.features[:, 1:, 2:]), xor.targets[:, :-1, 0])
    with pytest.raises(DataError, match=r"given = true is for data\.targets = 'words'"):
        load("elman_xor", given=True)
    # No step but the last is asked.
    assert np.all(load("dna", given=True).train.features[:, :, 3:] == 0.0)
