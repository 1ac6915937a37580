# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles hand to report_page, made up: a load test with a pause in it, drills good and failed, a test of a lost table."""

import math

from dynabridge.backup_layout import iso
from dynabridge.drills import Limits, Outcome, record_of

BEGAN = 1_795_000_000.0
LIMITS = Limits(rto=600, rpo=300)
EQUAL = {"equal": True, "differing": 0, "summary": "user-cn (10,000 items) and user-sg (10,000 items) are equal"}
DIFFERENT = {"equal": False, "differing": 3, "summary": "user-cn and user-sg differ in 3 keys: a, b, c"}
PHASES = {"plan": 0.4, "merge": 12.5, "fill": 203.1, "settle": 1.9, "verify": 31.0}


POINTS = 200


def curve(start, seconds, total):
    """A load that grows, now faster, now slower."""
    found = [[start, 0]]
    for index in range(1, POINTS + 1):
        share = index / POINTS
        found.append([start + seconds * (share + 0.03 * math.sin(5 * share)), total * index // POINTS])
    return found


def arrivals(written, late, pause):
    """A third of the way through nothing arrives for a while; then it catches up."""
    found, until = [[written[0][0], 0]], 0.0
    for index, (when, count) in enumerate(written[1:], 1):
        if index == POINTS // 3:
            until = when + pause
        until += (written[-1][0] - written[0][0]) / POINTS / 2 if until else 0
        found.append([max(when + late * (1 + 0.4 * math.sin(index)), until), count])
    return found


def direction(name, total, start, seconds, late, pause=0.0, missing=0):
    written = curve(start, seconds, total)
    arrived = [[when, min(count, total - missing)] for when, count in arrivals(written, late, pause)]
    return {
        "direction": name,
        "loaded": {
            "loaded": total,
            "run_id": f"{name.partition(' ')[0]}-1795000000000",
            "started_at": start,
            "ended_at": written[-1][0],
            "seconds": round(written[-1][0] - start, 3),
            "items_per_second": round(total / (written[-1][0] - start), 1),
            "curve": written,
        },
        "replicated": {
            "replicated": total - missing,
            "expected": total,
            "started_at": start,
            "ended_at": arrived[-1][0],
            "curve": arrived,
        },
    }


def load_facts(comparison=None, sides=2, total=100_000, seconds=329.0, missing=0):
    """As the source documents measured it: 100,000 items a side in 5:29, converged 34 s later."""
    ways = [
        direction("cn-north-1 -> ap-southeast-1", total, BEGAN, seconds, 1.5, seconds / 20, missing),
        direction("ap-southeast-1 -> cn-north-1", total, BEGAN + 0.4, seconds * 0.94, 2.5, seconds / 10),
    ]
    return {
        "table": "user",
        "operation": "put",
        "items": total // 5,
        "processes": 5,
        "rate": 0,
        "share": 1,
        "comparisons": [comparison or EQUAL],
        "directions": ways[:sides],
    }


def restored(rto, lag, began, **changes):
    share = rto / 260
    return {
        "moment": iso(began - lag),
        "rows": 1_204_331,
        "method": "merge",
        "changes": 63_525,
        "base": {"moment": iso(began - 7200)},
        "rto_seconds": rto,
        "holes": [],
        "left_out": [],
        "phases": {name: round(seconds * share, 3) for name, seconds in PHASES.items()},
        "verification": EQUAL,
        **changes,
    }


def record(table, began, rto=250.0, lag=109.0, limits=LIMITS, **outcome):
    given = {"report": restored(rto, lag, began)} | outcome
    target = {"table": f"{table}-drill-20261120T040001Z", "region": "cn-northwest-1"}
    return record_of(table, target, "latest", began, began + rto + 20, limits, Outcome(**given))


def drill_facts(tables=("user-cn", "orders-cn"), weeks=12):
    """The last drill of the second table failed by its time; one of weeks ago did not come so far as to have one."""
    history = []
    for week in range(weeks):
        for place, table in enumerate(tables):
            began = BEGAN - (weeks - 1 - week) * 7 * 86400 + place * 1500
            if place == 1 and week == weeks // 2:
                history.append(record(table, began, report=None, failure="the import failed"))
            else:
                last = place == 1 and week == weeks - 1
                history.append(
                    record(table, began, 700.0 if last else 210.0 + 9 * week + 40 * place, 60 + 11 * (week % 5))
                )
    return {"side": "cn", "drills": history[-len(tables) :], "history": list(reversed(history))}


def failed_drill_facts():
    """A first drill that stopped before anything was there."""
    failed = record("user-cn", BEGAN, report=None, failure="table user-cn has no backup")
    return {"side": "cn", "drills": [failed], "history": [failed]}


def lost_table_facts():
    def way(method, rto, **phases):
        return {
            "method": method,
            "ok": True,
            "rows": 95_025,
            "changes": 63_525,
            "oracle": "as written",
            "rto_seconds": rto,
            "rpo_seconds": 0,
            "phases": phases,
        }

    report = {
        "table": "dynabridge-test1-cn",
        "counts": {"puts": 100_000, "updates": 10_000, "deletes": 4_975},
        "load_began": iso(BEGAN),
        "load_ended": iso(BEGAN + 170),
        "load_seconds": 170.0,
        "backup": "01795293598000-1a2b3c4d",
        "backup_moment": iso(BEGAN + 90),
        "backup_items": 52_725,
        "backup_in_load": True,
        "backup_second": 90.0,
        "written": [[when - BEGAN, count] for when, count in curve(BEGAN, 190, 114_975)],
        "last_write": iso(BEGAN + 190),
        "moment": iso(BEGAN + 251),
        "ok": True,
        "ways": [
            way("apply", 202.8, plan=0.4, merge=12.5, fill=23.3, settle=1.9, apply=75.5, verify=47.6),
            way("merge", 92.3, plan=0.4, merge=8.8, fill=27.2, settle=1.9, verify=32.1),
        ],
        "text": ["dynabridge-test1-cn: 100,000 puts"],
    }
    return {"side": "cn", "report": report, "limits": {"rto_seconds": 14400, "rpo_seconds": 900}}


def many_drills_facts():
    """More tables than a chart has room for, with a name that is too long for one, seconds after each other."""
    names = ["production-customer-profiles-with-a-name-that-does-not-fit", *(f"table-{number}" for number in range(7))]
    drills = [record(name, BEGAN + 40 * place, 131.7 - place) for place, name in enumerate(names)]
    return {"side": "sg", "drills": drills, "history": list(reversed(drills))}


FACTS = {
    "load": ("load_test", load_facts),
    "drill": ("drill", drill_facts),
    "failed": ("drill", failed_drill_facts),
    "many": ("drill", many_drills_facts),
    "test1": ("test1", lost_table_facts),
}
