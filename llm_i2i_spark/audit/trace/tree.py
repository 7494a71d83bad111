"""A trace as a tree that a person can read in a terminal: titles beside ids, each line one fact."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from llm_i2i_spark.audit.lineage import Origin
from llm_i2i_spark.audit.runs import inputs_text
from llm_i2i_spark.audit.trace.edge import (
    ADDS_UP,
    BlendEvidence,
    EdgeTrace,
    GeneratedEvidence,
    Interaction,
    Recomputed,
    Similarity,
    UserEvidence,
    UserGroup,
)
from llm_i2i_spark.audit.trace.synthetic_origin import (
    Checkpoint,
    DiscriminatorScore,
    Prompt,
    Proposal,
    Retrieval,
)
from llm_i2i_spark.backbones.attribution import Attribution
from llm_i2i_spark.prompts.render import clean_text

TITLE_CHARS = 48


class Node(NamedTuple):
    """A line and the lines below it."""

    text: str
    below: Sequence[Node] = ()


def trace_lines(trace: EdgeTrace) -> list[str]:
    """The trace as lines: the edge, what makes up its similarity, and every result upstream."""
    key, served, titles = trace.edge, trace.served, trace.titles
    index = trace.versions[0]
    similar = Node(_similarity(trace.similarity), _evidence(trace))
    versions = Node("made from", [_version(origin, key.variant) for origin in trace.versions])
    return [
        f"{_named(key.item_id, titles)}  →  {_named(key.neighbor_id, titles)}",
        (
            f"rank {served.rank} of {served.neighbors}, score {served.score:.6g}; {key.variant},"
            f" {key.backbone}, item_index v{index.version}"
        ),
        *_drawn([similar, versions]),
    ]


def _similarity(similarity: Similarity) -> str:
    text = f"similarity {similarity.stored:.6g}"
    if similarity.support is not None:
        text += f" by {_counted(similarity.support, 'user')}"
    if similarity.synthetic_share is not None:
        text += f", {similarity.synthetic_share:.0%} of it from language models"
    return text


def _evidence(trace: EdgeTrace) -> list[Node]:
    evidence, titles = trace.evidence, trace.titles
    if evidence is None:
        return []
    if isinstance(evidence, BlendEvidence):
        return _blend(evidence, titles)
    lines = _sum_lines(evidence.recomputed) if evidence.recomputed else []
    return [*lines, *_users(evidence.users, titles, "the similarity")]


def _blend(evidence: BlendEvidence, titles: Mapping[str, str]) -> list[Node]:
    most = evidence.most_clicks
    alike = (
        f"{evidence.least_clicks} to {most}"
        if most is not None
        else (f"{evidence.least_clicks} or more")
    )
    lines = []
    for component in evidence.components:
        weight = f"weight {component.weight:.3g}"
        if component.share is None:
            lines.append(Node(f"{component.name}: {weight}; not among the largest parts here"))
            continue
        below: list[Node] = []
        if component.name == Attribution.name and evidence.attribution:
            below = _users(evidence.attribution.users, titles, "this component")
        if component.name == "generated" and evidence.generated:
            below = [_generated(evidence.generated)]
        lines.append(
            Node(f"{component.name}: {component.share:.1%} of the mixture, {weight}", below)
        )
    clicked = f"{evidence.clicks:,} real click{'' if evidence.clicks == 1 else 's'}"
    return [Node(f"the item has {clicked}; the weights are those for {alike}", lines)]


def _generated(generated: GeneratedEvidence) -> Node:
    return Node(
        "the generator, asked about this item alone, proposes it at rank"
        f" {generated.rank}, log-probability {generated.log_prob:.3f}"
        f" (model {generated.model_digest[:12]})"
    )


def _users(users: UserGroup, titles: Mapping[str, str], whole: str) -> list[Node]:
    lines = [_user(user, titles) for user in users.listed]
    if users.total > len(users.listed):
        more = _counted(users.total - len(users.listed), "more user")
        lines.append(Node(f"and {more}, {users.rest_share:.1%} of {whole}"))
    return lines


def _sum_lines(recomputed: Recomputed) -> list[Node]:
    if recomputed.adds_up:
        # The last bits of a sum are the processor's: not what it is off by, but that it is enough.
        text = f"the users' parts add up to it (relative difference below {ADDS_UP:.0e})"
    else:
        text = (
            f"the users' parts do NOT add up to it: {recomputed.similarity:.6g},"
            f" {recomputed.relative_difference:.1%} apart"
        )
    return [Node(text, [Node(doubt) for doubt in recomputed.doubts])]


def _user(user: UserEvidence, titles: Mapping[str, str]) -> Node:
    below = [_interaction(end, titles) for end in (user.item, user.neighbor)]
    prompts = [
        end.origin.proposal.prompt
        for end in (user.item, user.neighbor)
        if end.origin and end.origin.proposal
    ]
    # Both synthetic rows of a user come from one prompt.
    below += [_prompt(prompt, titles) for prompt in prompts[:1]]
    return Node(f"user {user.user_id}: {user.share:.1%} ({user.contribution:.4g})", below)


def _interaction(end: Interaction, titles: Mapping[str, str]) -> Node:
    facts = [f"weight {end.weight:.3g}"]
    if end.source == "real":
        facts = [
            *([end.ts[:10]] if end.ts else []),
            *([f"position {end.position}"] if end.position is not None else []),
            *facts,
        ]
        facts += [f"p_yes {end.confidence:.3g}"] if end.confidence is not None else []
    elif end.confidence is not None:
        facts.append(f"confidence {end.confidence:.3g}")
    below = []
    if end.origin and end.origin.proposal:
        below.append(_proposal(end.origin.proposal))
    if end.origin and end.origin.judgement:
        below.append(_score(end.origin.judgement))
    if end.origin and end.origin.retrieval:
        below.append(_retrieval(end.origin.retrieval))
    return Node(f"{end.source:<9} {_named(end.item_id, titles)}: {', '.join(facts)}", below)


def _proposal(proposal: Proposal) -> Node:
    probability = math.exp(proposal.log_prob)
    text = (
        f"proposed at rank {proposal.rank}, log-probability {proposal.log_prob:.3f} (probability"
        f" {probability:.2g})"
    )
    return Node(f"{text} by {_checkpoint(proposal.model)}")


def _score(score: DiscriminatorScore) -> Node:
    answer = "Yes" if score.decision else "No"
    text = f"judged {answer}, p_yes {score.p_yes:.3g}, calibrated confidence {score.confidence:.3g}"
    return Node(f"{text} by {_checkpoint(score.model)}")


def _retrieval(retrieval: Retrieval) -> Node:
    examples = _counted(len(retrieval.examples), "similar step")
    text = f"taken in {examples}, rank {retrieval.rank} with {retrieval.share:.1%} of the votes"
    below = [
        Node(
            f"user {one.user_id}, similarity {one.similarity:.3f}, {one.share:.1%} of the votes:"
            f" {clean_text(one.reasoning)}"
        )
        for one in retrieval.examples
    ]
    return Node(f"{text}; compared by {_checkpoint(retrieval.model)}", below)


def _checkpoint(model: Checkpoint) -> str:
    if model.path is None:
        return f"{model.role} {model.digest[:12]}"
    return (
        f"{model.role} {model.digest[:12]} (fine-tuned on sft_{model.role} v{model.export_version},"
        f" in {model.path})"
    )


def _prompt(prompt: Prompt, titles: Mapping[str, str]) -> Node:
    cut = (
        ""
        if prompt.as_recorded
        else (
            "; the settings given are not the generator's, so its history may have been cut"
            " otherwise"
        )
    )
    size = _counted(len(prompt.history), "item")
    text = (
        f"the generator was shown {size}, oldest first (layout {prompt.layout}, prompt"
        f" {prompt.digest[:12]}{cut})"
    )
    if prompt.layout == "instruct":
        return Node(text, [Node(line) for line in prompt.text.splitlines()])
    return Node(
        text,
        [
            Node(_named(entry.item_id, {entry.item_id: entry.text, **titles}))
            for entry in prompt.history
        ],
    )


def _version(origin: Origin, variant: str) -> Node:
    name = f"{origin.table} v{origin.version}"
    other = origin.scope.get("variant", variant)
    name += f" ({other})" if other != variant else ""
    if origin.written is None:
        return Node(f"{name}: the history no longer reaches back to it")
    if origin.record is None:
        return Node(
            f"{name}: {origin.operation} on {_day(origin)} by something else than this package"
        )
    rows = "" if origin.rows is None else f", {origin.rows:,} rows"
    since = "" if origin.written == origin.version else f", the rows of v{origin.written}"
    read = inputs_text(origin.record.reads, origin.record.external_inputs)
    return Node(
        f"{name}{since}: stage {origin.record.stage}, run {origin.record.run_id}{rows}{read}"
    )


def _day(origin: Origin) -> str:
    return (origin.time or "")[:10]


def _named(item_id: str, titles: Mapping[str, str]) -> str:
    # A title comes from outside: cleaned, it can move no cursor and break no line.
    title = clean_text(titles.get(item_id, ""), TITLE_CHARS)
    return f"{title} ({item_id})" if title and title != item_id else item_id


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _drawn(branches: Sequence[Node], indent: str = "") -> list[str]:
    lines = []
    for number, branch in enumerate(branches, start=1):
        last = number == len(branches)
        lines.append(f"{indent}{'└─ ' if last else '├─ '}{branch.text}")
        lines += _drawn(branch.below, indent + ("   " if last else "│  "))
    return lines
