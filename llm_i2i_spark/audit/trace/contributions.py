"""What each user adds to a Swing similarity, recomputed from the formula and the users' lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from llm_i2i_spark.backbones.swing import Swing


class Edge(NamedTuple):
    """One item of a user's list, with its weight e."""

    user_id: str
    item_id: str
    weight: float


def swing_contributions(
    edges: Sequence[Edge], item: str, neighbor: str, swing: Swing
) -> dict[str, float]:
    """The part of S(item, neighbor) that is due to each user; the parts add up to S.

    S(i,j) = Σ w_u w_v e_ui e_uj e_vi e_vj / (a2 + |I_u ∩ I_v|) over unordered pairs of users who
    have both items, with w_u = (a1 + Σ_i e_ui)^-b. A pair's term is split evenly between its two
    users.

    Memory grows with the number of edges, time with the number of (user, user, common item)
    triples.

    Args:
        edges: the whole lists of the users who have both items, each (user, item) once.
        item: i.
        neighbor: j.
        swing: a1, a2 and b; its caps are not applied.
    """
    if not edges:
        return {}
    names, user = np.unique([edge.user_id for edge in edges], return_inverse=True)
    items, column = np.unique([edge.item_id for edge in edges], return_inverse=True)
    weight = np.array([edge.weight for edge in edges], np.float64)
    strength = np.power(swing.a1 + np.bincount(user, weights=weight), -swing.b)
    for end in (item, neighbor):
        of_end = items[column] == end
        strength[user[of_end]] *= weight[of_end]
    by_item = np.argsort(column, kind="stable")
    users_of_item = np.split(user[by_item], np.cumsum(np.bincount(column))[:-1])
    by_user = np.argsort(user, kind="stable")
    items_of_user = np.split(column[by_user], np.cumsum(np.bincount(user))[:-1])
    parts = {}
    for row, (name, own) in enumerate(zip(names, items_of_user, strict=True)):
        common = np.bincount(
            np.concatenate([users_of_item[one] for one in own]), minlength=len(names)
        )
        terms = strength[row] * strength / (swing.a2 + common)
        terms[row] = 0.0
        parts[str(name)] = float(terms.sum()) / 2
    return parts
