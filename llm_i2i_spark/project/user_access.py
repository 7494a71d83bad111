"""What can be asked about a user besides a lookup: vectors of a backbone with a network for users,
and how credible an item is after a history.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from llm_i2i_spark.base.embedding_contracts import USER_NETWORKS
from llm_i2i_spark.base.errors import ConfigError, TableNotFoundError, require_at_least_one
from llm_i2i_spark.base.extras import optional_imports
from llm_i2i_spark.base.variants import BASE_BRANCH
from llm_i2i_spark.project.lake_access import LakeAccess

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from llm_i2i_spark.serving.user_vectors import UserModel

BACKBONE = "youtube_dnn"


class UserAccess(LakeAccess):
    """User-to-item retrieval by what stage `embed` has learned, and the discriminator in SQL."""

    @optional_imports()
    def user_vectors(self, variant: str | None = None, backbone: str = BACKBONE) -> DataFrame:
        """The vector of every user, to search `item_embeddings` by inner product in a vector index.

        Args:
            variant: what was learned from; None for llm_i2i before real, the served before the
                evaluated.
            backbone: one that learns a network for users.

        Returns:
            `user_id string, embedding array<float>`, a row a user.

        Raises:
            UserError: nothing of that kind was learned here.
        """
        from llm_i2i_spark.serving.user_vectors import vectors_of_users

        return vectors_of_users(*self._users_and_model(variant, backbone))

    @optional_imports()
    def recommend_by_vectors(
        self, k: int = 10, variant: str | None = None, backbone: str = BACKBONE
    ) -> DataFrame:
        """The best `k` items for every user by the inner product of user and item; `recommend`
        gives them by the index.

        Users are read as the backbone saw them: with the interactions that it learned from, so
        without held-out ones unless the variant is served.

        Args:
            k: how many.
            variant: as in `user_vectors`.
            backbone: likewise.

        Returns:
            `user_id, recommendations array<struct<item_id, score, rank>>`.

        Raises:
            UserError: nothing of that kind was learned here, or `k` is below 1.
        """
        from llm_i2i_spark.serving.user_vectors import recommend_by_vectors

        require_at_least_one("k", k)
        return recommend_by_vectors(*self._users_and_model(variant, backbone), k)

    @optional_imports()
    def register_confidence(
        self, name: str = "llm_i2i_confidence", branch: str = BASE_BRANCH
    ) -> Callable[..., Column]:
        """Make the discriminator a function of Spark SQL.

        Args:
            name: in SQL.
            branch: of the fine-tuned models.

        Returns:
            The same function for columns: `(history array<string>, item string) -> double`, p_yes,
            the history oldest first; null where the model does not know the item.

        Raises:
            UserError: no discriminator was trained here.

        Examples:
            >>> project.register_confidence()  # doctest: +SKIP
            >>> spark.sql("SELECT llm_i2i_confidence(array('A', 'B'), 'C')")  # doctest: +SKIP
        """
        from llm_i2i_spark.discriminate.sql_function import confidence_function
        from llm_i2i_spark.lake.checkpoints import find_checkpoint

        checkpoint = find_checkpoint(
            self.lake.read("checkpoints", None, {"branch": branch}), "discriminator"
        )
        settings = self.config.discriminate
        function = confidence_function(
            checkpoint, self.config.lake, settings.batch_tokens, settings.device
        )
        self.lake.spark.udf.register(name, function)
        return function

    def _users_and_model(self, variant: str | None, backbone: str) -> tuple[DataFrame, UserModel]:
        """The interactions that a backbone learned from, and what it learned."""
        from llm_i2i_spark.backbones import find_backbone
        from llm_i2i_spark.backbones.embedding.backbone import EmbeddingBackbone
        from llm_i2i_spark.base.run_record import commit_of
        from llm_i2i_spark.pipeline.planner import systems_in
        from llm_i2i_spark.serving.choice import choose_index
        from llm_i2i_spark.serving.user_vectors import UserModel

        kind = find_backbone(backbone)
        if not (issubclass(kind, EmbeddingBackbone) and kind.learns_users):
            raise ConfigError(
                f"Backbone {backbone} learns no network for users; ask for {BACKBONE}."
            )
        history = self.histories.history(USER_NETWORKS.name)
        present = [(one.name, name) for one, name in systems_in(history)]
        chosen, _ = choose_index(present, variant, backbone)
        scope = {"variant": chosen, "backbone": backbone}
        commit = commit_of(history, scope)
        if commit is None or commit.record is None:
            raise TableNotFoundError(
                f"Nothing says what the vectors of {backbone} on {chosen} were learned from; run"
                " stage embed again."
            )
        read = self.lake.read
        model = UserModel.from_rows(
            read("item_embeddings", None, scope).select("item_id", "embedding").toArrow(),
            read(USER_NETWORKS.name, None, scope).select("layer", "unit", "weights").toArrow(),
            commit.record.settings[f"i2i.{backbone}.history"],
        )
        return read("fused", commit.record.reads["fused"], {"variant": chosen}), model
