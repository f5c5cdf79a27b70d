"""Who a touchpoint belongs to: claims gathered from all records, then followed upwards."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from pipeline.stitching.placement import HOPS_MAX
from pipeline.stitching.rules import IdentityRules
from schemas.identifiers import PREVIOUS_ID, blocked
from schemas.records import Touchpoint

Claims = dict[str, list[tuple[datetime, str]]]


class Claimed:
    """All that the records of a set say about whose identifier is whose."""

    def __init__(self, touchpoints: Iterable[Touchpoint], rules: IdentityRules) -> None:
        self.rules = rules
        self.claims: Claims = defaultdict(list)
        self.implied: Claims = defaultdict(list)
        self.told: dict[tuple[str, str, str, int], datetime] = {}
        self.parted: dict[tuple[str, str], datetime] = {}
        for one in touchpoints:
            self._claim(one)
        for (_, other, owner, _), at in self.told.items():
            self.claims[other].append((at, owner))
        self._take_back(self.claims)
        for claims in self.claims.values():
            claims.sort()
        for claims in list(self.claims.values()):
            self._imply(claims)
        self._take_back(self.implied)
        for claims in self.implied.values():
            claims.sort()

    def customer_of(self, one: Touchpoint) -> str:
        """The last of those who own each other, from the strongest identifier shown upwards."""
        node = self.node_of(one)
        others = [shown for shown in self.shown_by(one) if shown != node]
        here = others[0] if others else node
        for _ in range(HOPS_MAX):
            above = self.owner_of(here, one.occurred_at)
            if above is None:
                break
            here = above
        return here

    def shown_by(self, one: Touchpoint) -> list[str]:
        """The identifiers that may link, strongest first."""
        return [
            f"{name}:{one.identifiers[name]}"
            for name, kind in self.rules.classes.items()
            if kind != "weak" and name in one.identifiers and self._names(one.identifiers[name])
        ]

    def node_of(self, one: Touchpoint) -> str:
        """Where a record hangs: its device, else its session, else what it has."""
        shown = self.shown_by(one)
        if shown and self._class_of(shown[-1]) == "device":
            return shown[-1]
        if one.session_hint:
            return f"session:{one.source}/{one.session_hint}"
        if shown:
            return shown[-1]
        for name, value in sorted(one.identifiers.items()):
            if name not in ("previous_id", "unlinked_from") and self._names(value):
                return f"{name}:{value}"
        return f"event:{one.ref}"

    def owner_of(self, identifier: str, at: datetime) -> str | None:
        """Who owned an identifier then: the last to have claimed it, or the first to come."""
        claims = self.claims.get(identifier) or self.implied.get(identifier)
        if not claims:
            return None
        by_then = [claim for claim in claims if claim[0] <= at]
        if not by_then:
            return claims[0][1]
        since, owner = by_then[-1]
        if self._is_shared(by_then) and at - since >= self.rules.shared_claim:
            return None
        return owner

    def _claim(self, one: Touchpoint) -> None:
        shown, node = self.shown_by(one), self.node_of(one)
        if "unlinked_from" in one.identifiers:
            pair = (node, one.identifiers["unlinked_from"])
            self.parted[pair] = max(one.occurred_at, self.parted.get(pair, one.occurred_at))
            return
        if not shown:
            return
        strongest = shown[0]
        if node != strongest:
            self.claims[node].append((one.occurred_at, strongest))
        for other in {*shown} - {strongest, node}:
            self._tell(one, node, other, strongest)
        previous = one.identifiers.get(PREVIOUS_ID)
        if previous is None or not self._names(previous):
            return
        alias = f"anonymous_id:{previous}"
        if alias in shown or strongest.partition(":")[2] == previous:
            return
        owner = strongest
        if strongest.startswith("anonymous_id:"):
            owner, alias = sorted((strongest, alias))
        self._tell(one, node, alias, owner)

    def _take_back(self, all_claims: Claims) -> None:
        """What an operator parted: claims of that owner until then were never made."""
        for name, claims in all_claims.items():
            claims[:] = [
                (at, owner)
                for at, owner in claims
                if (name, owner) not in self.parted or at > self.parted[name, owner]
            ]

    def _tell(self, one: Touchpoint, node: str, other: str, owner: str) -> None:
        """Of what one identifier tells another in ten minutes, the first counts."""
        span = int(one.occurred_at.timestamp() // 600)
        known = self.told.setdefault((node, other, owner, span), one.occurred_at)
        self.told[node, other, owner, span] = min(known, one.occurred_at)

    def _imply(self, claims: list[tuple[datetime, str]]) -> None:
        """What one device met, a login and an e-mail, belongs together."""
        people = [claim for claim in claims if self._class_of(claim[1]) == "unique"]
        if not people or self._is_shared(claims):
            return
        for at, anchor in claims:
            if self._class_of(anchor) != "unique":
                until_then = [who for since, who in people if since <= at]
                owner = until_then[-1] if until_then else people[0][1]
                self.implied[anchor].append((at, owner))

    def _is_shared(self, claims: list[tuple[datetime, str]]) -> bool:
        since = claims[-1][0] - self.rules.shared_window
        people = {who for at, who in claims if at >= since and self._class_of(who) == "unique"}
        return len(people) > self.rules.shared_customers_max

    def _class_of(self, identifier: str) -> str:
        return str(self.rules.classes.get(identifier.partition(":")[0], "weak"))

    def _names(self, value: str) -> bool:
        return blocked(value, self.rules.blocked) is None
