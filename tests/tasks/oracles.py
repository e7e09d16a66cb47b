"""What each task asks for, worked out from the inputs up to one step, in plain Python.

An oracle is given the task, the inputs seen so far and the length of the whole sequence, and
returns the right answer at the last step that it sees, or None where nothing is asked. It cannot
look ahead, so agreeing with it shows that a causal model can solve the task.
"""

import numpy as np

from remanence.systems import StateSpace


def symbols(seen):
    """The unit vectors read back as integers; they must be unit vectors."""
    assert np.all((seen == 0) | (seen == 1))
    assert np.all(seen.sum(axis=1) == 1)
    return [int(row.argmax()) for row in seen]


def teacher(task, seen, length):
    if task.scored == "last" and len(seen) < length:
        return None
    system = task.teacher
    if isinstance(system, StateSpace):
        A, B, C, D = (np.asarray(m) for m in (system.A, system.B, system.C, system.D))
        return sum(C @ np.linalg.matrix_power(A, j) @ B @ x for j, x in enumerate(seen[::-1])) + (
            D @ seen[-1]
        )
    pole, B, C = (np.asarray(m) for m in (system.eigenvalues, system.B, system.C))
    return sum(2 * np.real(C @ np.diag(pole) ** j @ B @ x) for j, x in enumerate(seen[::-1]))


def delay(task, seen, length):
    if len(seen) <= task.steps:
        return None
    answer = seen[len(seen) - 1 - task.steps]
    return answer if task.alphabet is None else symbols(answer[None])[0]


def copy(task, seen, length):
    word = symbols(seen)
    marker, blank = task.alphabet + 1, task.alphabet
    if marker not in word[:-1]:
        return None
    at = word.index(marker)
    content = [s for s in word[:at] if s != blank]
    assert word[: len(content)] == content
    assert set(word[len(content) : at] + word[at + 1 :]) <= {blank}
    assert length == at + 1 + len(content)
    return content[len(word) - 1 - at - 1]


def selective_copy(task, seen, length):
    word = symbols(seen)
    asked = word.count(task.alphabet + 1)
    if not asked:
        return None
    assert set(word[-asked:]) == {task.alphabet + 1}
    content = [s for s in word if s < task.alphabet]
    assert len(content) == task.items
    return content[asked - 1]


def adding(task, seen, length):
    if len(seen) < length:
        return None
    marked = [t for t, row in enumerate(seen) if row[1] == 1]
    assert np.all((seen[:, 1] == 0) | (seen[:, 1] == 1))
    assert len(marked) == 2
    assert marked[0] < length // 2 <= marked[1]
    return [seen[marked[0], 0] + seen[marked[1], 0]]


def _asked(task, seen, length):
    return task.scored == "every" or len(seen) == length


def parity(task, seen, length):
    return symbols(seen).count(1) % 2 if _asked(task, seen, length) else None


def even_pairs(task, seen, length):
    if not _asked(task, seen, length):
        return None
    text = "".join(map(str, symbols(seen)))
    changes = sum(text[i : i + 2] in ("01", "10") for i in range(len(text)))
    return int(changes % 2 == 0)


def modular_sum(task, seen, length):
    return sum(symbols(seen)) % task.modulus if _asked(task, seen, length) else None


def cycle(task, seen, length):
    place = 0
    for symbol in symbols(seen):
        place = (place + {0: -1, 1: 0, 2: 1}[symbol]) % task.size
    return place if _asked(task, seen, length) else None


def arithmetic(task, seen, length):
    m = task.modulus
    names = [str(d) for d in range(m)] + ["+", "-", "*", ""]
    word = symbols(seen)
    assert m + 3 not in word[1 - length % 2 :]
    if word[-1] >= m or not _asked(task, seen, length):
        return None
    return eval("".join(names[s] for s in word)) % m


def recall(task, seen, length):
    word, n, keys = symbols(seen), task.pairs, task.vocabulary // 2
    if len(word) <= 2 * n or word[-1] == task.vocabulary:
        return None
    book = dict(zip(word[0 : 2 * n : 2], word[1 : 2 * n : 2], strict=True))
    assert len(book) == n
    assert max(book) < keys <= min(book.values())
    assert word[2 * n :].count(word[-1]) == 1
    return book[word[-1]] - keys


def nearest(task, seen, length):
    if len(seen) < 2 or not _asked(task, seen, length):
        return None
    np.testing.assert_allclose(np.hypot(seen[:, 0], seen[:, 1]), 1, rtol=1e-12)
    assert seen[0, 2] == 0
    distance = [np.hypot(*(row[:2] - seen[0, :2])) for row in seen[1:]]
    return [seen[1 + int(np.argmin(distance)), 2]]


def lorenz(task, inputs, length):
    K, h = task.modes, task.step / task.substeps
    state = np.zeros(K + 1)
    state[1] = task.start

    def rate(state, x):
        y, z = state[0], state[1:]
        dz = [2 * (z[(k + 1) % K] * (z[k - 1] - z[(k + 2) % K]) - z[k] + y) for k in range(K)]
        return np.array([-y + x + task.coupling * sum(z) / K, *dz])

    for x in np.repeat(inputs[:, 0], task.substeps):
        a = rate(state, x)
        b = rate(state + h / 2 * a, x)
        c = rate(state + h / 2 * b, x)
        state = state + h / 6 * (a + 2 * b + 2 * c + rate(state + h * c, x))
    return state[:1]


ORACLES = {
    "teacher": teacher,
    "delay": delay,
    "copy": copy,
    "selective copy": selective_copy,
    "adding": adding,
    "parity": parity,
    "even pairs": even_pairs,
    "sum": modular_sum,
    "cycle": cycle,
    "arithmetic": arithmetic,
    "recall": recall,
    "nearest": nearest,
    "lorenz": lorenz,
}
