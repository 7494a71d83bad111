"""The measures of an A/B test: what is counted for each user, and which ratio of it each measure
is.

The paper (LLM-I2I, section on metrics) names RN, L2P, CTR, CVR, GMV and latency, in these words:

- RN "represents the total number of items retrieved by the recall system". A total depends on how
  many users an arm has, so arms are compared by the mean of a user; the totals stand beside it.
  What the paper leaves open is whether items count that were retrieved and then cut by a later
  ranking. A log of exposures has what was shown; for the other reading write a row `exposure` for
  every item that the lookup returned.
- L2P "denotes the percentage of users who purchased being exposed to the recommendations". Taken by
  the letter (`l2p`): of the users who purchased, the share who had been exposed. The sentence
  can also be meant the other way round, of the users who were exposed the share who purchased:
  that is `purchase_rate`. Nor does the paper say whether the exposure must come before the purchase
  or be of the same item: here it must not come after the user's last order, where the log has
  times, and may be of any item.
- CTR and CVR are "abbreviations for click-through rate and conversion rate": clicks over exposures
  and orders over clicks, all events of an arm together.
- GMV "stands for gross merchandise volume": the amounts of all orders; compared by the mean of a
  user, as RN is, in the currency of the log.
"""

from __future__ import annotations

from dataclasses import dataclass

from llm_i2i_spark.metrics.paired import Estimate
from llm_i2i_spark.online.moments import Moments, Ratio, ratio_of

EXPOSURES, CLICKS, ORDERS, AMOUNT = "exposures", "clicks", "orders", "amount"
EXPOSED, BUYER, EXPOSED_BUYER = "exposed", "buyer", "exposed_buyer"
COLUMNS = (EXPOSURES, CLICKS, ORDERS, AMOUNT, EXPOSED, BUYER, EXPOSED_BUYER)
"""What is known of a user: rows of each event, the sum of the amounts, and whether, as 0
or 1, there is an exposure, an order, and an order not before the first exposure.
"""


@dataclass(frozen=True)
class Measure:
    """A ratio of two sums over the users of an arm.

    Attributes:
        name: key in results.
        title: what tables show.
        numerator: one of `COLUMNS`.
        denominator: one of `COLUMNS`; None for the number of users.
        number_format: of its values.
        is_share: whether what is above is part of what is below.
    """

    name: str
    title: str
    numerator: str
    denominator: str | None
    number_format: str
    is_share: bool = False

    def estimate(self, ratio: Ratio) -> Estimate:
        """The value of an arm with its interval."""
        return ratio.share_estimate if self.is_share else ratio.estimate

    def of(self, moments: Moments) -> Ratio | None:
        """The measure of an arm; None where its denominator is 0.

        Args:
            moments: over the users of the arm, of `COLUMNS`.
        """
        below = None if self.denominator is None else COLUMNS.index(self.denominator)
        return ratio_of(moments, COLUMNS.index(self.numerator), below)


MEASURES = (
    Measure("rn", "RN, items a user", EXPOSURES, None, ",.3f"),
    Measure("l2p", "L2P, exposed / buyers", EXPOSED_BUYER, BUYER, ".3%", True),
    Measure("purchase_rate", "buyers / exposed", EXPOSED_BUYER, EXPOSED, ".3%", True),
    Measure("ctr", "CTR, clicks / exposures", CLICKS, EXPOSURES, ".3%"),
    Measure("cvr", "CVR, orders / clicks", ORDERS, CLICKS, ".3%"),
    Measure("gmv", "GMV, amount a user", AMOUNT, None, ",.4f"),
)
"""In the order of the tables."""
