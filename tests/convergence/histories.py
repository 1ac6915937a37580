# SPDX-License-Identifier: GPL-3.0-or-later
"""Histories: whatever writers, clocks, transport and failures may do to two sides, and what must hold afterwards."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from dynabridge.changes import PUT, Change
from dynabridge.clock import issued
from dynabridge.conflict import Place, place
from dynabridge.stamps import NO_TIME, StampNames, read_stamp
from dynabridge.wire import lane_of
from tests.convergence.world import REGION, START, TIME, Crash, World

NAMES = StampNames()
KEYS = ("a", "b", "c")
PAIR = "user-cn|user-sg"
FAR_AHEAD = START * 10  # brought back, whatever it was
LANES = tuple(f"lane-{number:03d}" for number in range(16))
OFFSETS = st.sampled_from([0, 0, 0.5, -1, 60, -60, 300, -300])

sides = st.sampled_from(["cn", "sg"])
keys = st.sampled_from("aaaaabc")  # races want many things to happen to one item
jitters = st.sampled_from([0, 0, 0, 1, -1, 120, -120])
interruptions = st.one_of(st.none(), st.none(), st.tuples(st.integers(1, 8), st.sampled_from(["crash", "act", "turn"])))


class Histories(RuleBasedStateMachine):
    """Subclasses say by which bridge, and in which way of stamping."""

    make_bridge = None
    ways = ("application", "managed")

    @initialize(way=st.data(), cn=OFFSETS, sg=OFFSETS, cn_bridge=OFFSETS, sg_bridge=OFFSETS)
    def begin(self, way, cn, sg, cn_bridge, sg_bridge):
        self.managed = way.draw(st.sampled_from(self.ways)) == "managed"
        self.world = World(lambda world, side: type(self).make_bridge(world, side, self.managed))
        self.sides = self.world.sides
        self.sides["cn"].writer_offset, self.sides["sg"].writer_offset = cn, sg
        self.sides["cn"].bridge_offset, self.sides["sg"].bridge_offset = cn_bridge, sg_bridge
        self.begin_world()

    def begin_world(self):
        """Subclasses change the world here."""

    # -- writers -----------------------------------------------------------------------------

    @rule(side=sides, key=keys, jitter=jitters)
    def put(self, side, key, jitter):
        self._put(self.sides[side], key, self._own_stamp(self.sides[side], jitter))

    @rule(side=sides, key=keys, jitter=jitters)
    def update(self, side, key, jitter):
        self._update(self.sides[side], key, self._own_stamp(self.sides[side], jitter))

    @rule(side=sides, key=keys)
    def delete(self, side, key):
        self.sides[side].dynamodb.delete(self.sides[side].table, {"PK": {"S": key}})

    @rule(side=sides, key=keys, number=st.integers(0, 30))
    def put_back_an_old_version(self, side, key, number):
        """Stamp and all, as an undo does, or a restore by hand."""
        versions = self.world.seen.get(key, [])
        if versions:
            self.sides[side].dynamodb.put(self.sides[side].table, versions[number % len(versions)])

    @precondition(lambda self: self.managed)
    @rule(side=sides, key=keys, source=keys)
    def copy_another_item(self, side, key, source):
        """Stamp and all."""
        table, dynamodb = self.sides[side].table, self.sides[side].dynamodb
        item = dynamodb.get(table, PK={"S": source})
        if item:
            dynamodb.put(table, item | {"PK": {"S": key}})

    @precondition(lambda self: not (self.sides["cn"].bridge_offset or self.sides["sg"].bridge_offset))
    @rule(side=sides, key=keys)
    def put_with_milliseconds(self, side, key):
        """A stamp far beyond the bound. What is brought back counts on functions whose clocks agree, as Lambda's do."""
        side = self.sides[side]
        stamp = {TIME: {"N": str(int(self.world.now * 1000))}, REGION: {"S": side.region}}
        self._put(side, key, stamp)

    @rule(seconds=st.sampled_from([0.2, 1, 30]))
    def wait(self, seconds):
        self.world.now += seconds

    # -- the bridge and the transport --------------------------------------------------------

    @rule(side=sides, key=keys, most=st.integers(1, 6), interruption=interruptions)
    def send(self, side, key, most, interruption):
        with self._interrupted(side, interruption, key, lambda: self._receive(side, key, most)):
            self._send(side, key, most)

    @rule(side=sides, most=st.integers(1, 9), lost=st.sampled_from([None, *KEYS]))
    def send_all(self, side, most, lost):
        if lost:
            self.world.bridges[side].lost_lanes = {lane_of_key(side, lost)}
        self.world.send(self.sides[side], set(KEYS), most)

    @rule(side=sides, key=keys, most=st.integers(1, 4), interruption=interruptions)
    def receive(self, side, key, most, interruption):
        with self._interrupted(side, interruption, key, lambda: self._send(side, key, most)):
            self._receive(side, key, most)

    @rule(side=sides, key=keys)
    def drop_to_quarantine(self, side, key):
        self.world.quarantine(self.sides[side], self._lane(side, key))

    @rule(side=sides, number=st.integers(0, 3))
    def replay_quarantined(self, side, number):
        self.world.replay(self.sides[side], number)

    @rule(side=sides, number=st.integers(0, 20))
    def deliver_again(self, side, number):
        batches = self.sides[side].deliveries
        if batches:
            self.world.bridges[side].receive(batches[number % len(batches)])

    @rule(side=sides, number=st.integers(0, 20))
    def send_again(self, side, number):
        batches = self.sides[side].batches
        if batches:
            self.world.bridges[side].send(batches[number % len(batches)])

    # -- what must hold ----------------------------------------------------------------------

    def teardown(self):
        if hasattr(self, "world"):
            self.world.settle()
            self._must_hold()

    def _must_hold(self):
        self._equal("after all has arrived", self._named())
        self._nothing_that_wins_is_missing()
        before = self._tables()
        self.world.replay_everything()
        assert self._tables() == before, "a second replay of everything changed something"
        self.world.settle()
        assert self._tables() == before
        self._what_comes_last_stands()

    def _equal(self, when, named=frozenset()):
        cn, sg = ({key: row for key, row in rows.items() if key not in named} for rows in self._tables())
        assert cn == sg, f"{when}: cn has {cn}, sg has {sg}"

    def _named(self):
        return set().union(*(bridge.named for bridge in self.world.bridges.values()))

    def _nothing_that_wins_is_missing(self):
        """The greatest place that any version ever had is what both sides hold."""
        rows = self.sides["cn"].rows()
        greatest = {}
        for key, versions in self.world.seen.items():
            for item in versions:
                if self._counts(item):
                    greatest[key] = max(greatest.get(key, Place(read_stamp({}, NAMES))), Place(read_stamp(item, NAMES)))
        for change in self.world.sent():
            key = change.keys["PK"]["S"]
            greatest[key] = max(greatest.get(key, place(change, NAMES)), place(change, NAMES))
        for key, top in greatest.items():
            if top.is_delete:
                assert key not in rows, f"{key} was deleted at {top}, and holds {rows[key]}"
            else:
                assert Place(read_stamp(rows.get(key, {}), NAMES)) == top, f"{key}: {top} won, held is {rows.get(key)}"

    def _counts(self, item):
        stamp = read_stamp(item, NAMES)
        if stamp.kind != NO_TIME and stamp.time > FAR_AHEAD:
            return False
        return stamp.kind != NO_TIME and (not self.managed or issued(stamp, PAIR, {"PK": item["PK"]}))

    def _what_comes_last_stands(self):
        """A write made when all is quiet has seen everything: it wins, whatever its clock says."""
        for number, key in enumerate(KEYS):
            side = self.sides["cn" if number % 2 else "sg"]
            if number == 2 and key in side.rows():
                side.dynamodb.delete(side.table, {"PK": {"S": key}})
                self.world.settle()
                assert not any(key in one.rows() for one in self.sides.values()), f"{key} came back"
            self._put(side, key, self._own_stamp(side, -100.25))
            written = side.rows()[key]["content"]
            self.world.settle()
            assert [one.rows()[key]["content"] for one in self.sides.values()] == [written] * 2
        self._equal("after one more write to each item")
        if self.managed:
            self._a_copy_onto_a_deleted_key_stands()

    def _a_copy_onto_a_deleted_key_stands(self):
        """The copy bears the peer's stamp of another item, older than the delete: it is a new write all the same."""
        cn, original = self.sides["cn"], self.sides["cn"].rows()["a"]
        assert original[REGION] == {"S": self.sides["sg"].region}
        cn.dynamodb.delete(cn.table, {"PK": {"S": "b"}})
        cn.dynamodb.put(cn.table, original | {"PK": {"S": "b"}})
        self.world.settle()
        for side in self.sides.values():
            copy = side.rows().get("b")
            assert copy and copy["content"] == original["content"], f"the copy onto a deleted key is lost: {copy}"
        self._equal("after a copy onto a deleted key")

    # -- within ------------------------------------------------------------------------------

    def _tables(self):
        return self.sides["cn"].rows(), self.sides["sg"].rows()

    def _own_stamp(self, side, jitter):
        return {} if self.managed else self.world.stamp(side, jitter)

    def _put(self, side, key, stamp):
        side.dynamodb.put(side.table, {"PK": {"S": key}} | self.world.content() | stamp)

    def _update(self, side, key, stamp):
        old = side.dynamodb.get(side.table, PK={"S": key}) or {"PK": {"S": key}}
        side.dynamodb.put(side.table, old | self.world.content() | stamp)

    def _lane(self, side, key):
        return lane_of_key(self.sides[side].peer, key)

    def _send(self, side, key, most):
        self.world.send(self.sides[side], {key}, most)

    def _receive(self, side, key, most):
        self.world.receive(self.sides[side], self._lane(side, key), most)

    def _interrupted(self, side, interruption, key, other):
        return Interruption(self, self.sides[side], interruption, key, other)


class Interruption:
    """At the n-th call to DynamoDB the function dies, a writer writes, or the side's other function has its turn."""

    def __init__(self, history, side, interruption, key, other):
        self.history, self.side, self.interruption, self.key, self.other = history, side, interruption, key, other

    def __enter__(self):
        if self.interruption:
            self.left, what = self.interruption
            self.side.dynamodb.before = {"crash": self._crash, "act": self._act, "turn": self._turn}[what]

    def __exit__(self, *exception):
        self.side.dynamodb.before = None

    def _due(self):
        self.left -= 1
        return self.left == 0

    def _crash(self, _operation, _arguments):
        if self._due():
            raise Crash

    def _act(self, _operation, _arguments):
        if self._due():
            self.side.dynamodb.before = None
            if self.key in self.side.rows() and self.interruption[0] % 2:
                self.side.dynamodb.delete(self.side.table, {"PK": {"S": self.key}})
            else:
                self.history._put(self.side, self.key, self.history._own_stamp(self.side, 0))

    def _turn(self, _operation, _arguments):
        if self._due():
            self.side.dynamodb.before = None
            self.other()


def lane_of_key(side, key):
    """The lane on which a side's sender puts an item."""
    peer = {"cn": "sg", "sg": "cn"}[side]
    return lane_of(Change(PUT, f"user-{peer}", {"PK": {"S": key}}, {}))
