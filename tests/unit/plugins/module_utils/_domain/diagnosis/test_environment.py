# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The phase of an environment: what counts as ready, what ends a wait, and what is no business of the newest rollout."""

from __future__ import annotations

import copy
import datetime as dt
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.environment import image_of, judge, pods_of, wanted
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.model import LogKey, Phase, Seen, Severity, Verdict
from ansible_collections.rarus.lms.plugins.module_utils._domain.diagnosis.screens import state_of_environment
from support.diagnosis_cases import BASE, laid_over, seen_of_case

READY: dict[str, t.Any] = {"ready": True, "publish": "ingress"}
CRASH: dict[str, t.Any] = {
    "container": {
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 3, "reason": "Error"}},
    }
}


def old_pod(*, ready: bool) -> dict[str, t.Any]:
    """Return a pod of the revision before."""
    pod: dict[str, t.Any] = laid_over(
        BASE["pod"],
        {"metadata": {"name": "lms-deployment-c42-old-1", "uid": "p-0", "ownerReferences": [{"controller": True, "uid": "rs-1"}]}},
    )
    pod["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
    return pod


NOT_READY = {
    "the controller has not seen the specification": {"deployment": {"metadata": {"generation": 4}}},
    "the controller has not begun": {"deployment": {"status": {"observedGeneration": None}}},
    "the new pods are not all there": {"deployment": {"spec": {"replicas": 2}}},
    "old pods are left": {"deployment": {"status": {"replicas": 2}}},
    "not ready for long enough to let an old one go": {"deployment": {"status": {"availableReplicas": 0, "replicas": 2}}},
    "ready pods are of the old revision": {"replica_set": {"status": {"readyReplicas": 0}}},
    "the newest ReplicaSet is another": {"deployment": {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "3"}}}},
    "no endpoint is ready": {"slice": {"endpoints": [{"conditions": {"ready": False}}]}},
}


@pytest.mark.parametrize("changes", NOT_READY.values(), ids=NOT_READY)
def test_not_ready_yet(changes: dict[str, t.Any]) -> None:
    assert judge(seen_of_case(READY)).phase is Phase.READY
    verdict = judge(seen_of_case({**READY, **changes}))
    assert verdict.phase is Phase.PROGRESSING
    assert verdict.progress
    assert not verdict.certain


def test_a_pod_that_no_older_one_waits_for_need_not_have_been_ready_for_long() -> None:
    assert judge(seen_of_case({**READY, "deployment": {"status": {"availableReplicas": 0}}})).phase is Phase.READY


def test_an_endpoint_without_a_condition_is_ready() -> None:
    assert judge(seen_of_case({**READY, "slice": {"endpoints": [{"addresses": ["10.1.0.5"], "conditions": {}}]}})).phase is Phase.READY


def test_where_slices_may_not_be_read_a_ready_pod_counts() -> None:
    seen = replace(seen_of_case({**READY, "slice": None}), not_seen={"EndpointSlice": "this token may not read it"})
    assert judge(seen).phase is Phase.READY


def test_a_stale_generation_hides_what_fails_in_the_old_rollout() -> None:
    """A repaired specification was just written: the pods that are seen crashing are the old ones."""
    verdict = judge(seen_of_case({**CRASH, "deployment": {"metadata": {"generation": 4}}}))
    assert (verdict.phase, verdict.findings) == (Phase.PROGRESSING, ())


def test_old_pods_that_fail_are_nobodys_fault() -> None:
    seen = seen_of_case({})
    broken = old_pod(ready=False)
    broken["status"]["containerStatuses"] = [{"name": "c42", "restartCount": 9, **CRASH["container"]}]
    assert judge(replace(seen, pods=[*seen.pods, broken])).findings == ()


def test_pods_on_their_way_out_are_not_judged() -> None:
    seen = seen_of_case(CRASH)
    leaving = copy.deepcopy(seen.pods[0])
    leaving["metadata"]["deletionTimestamp"] = "2026-11-21T10:01:00Z"
    assert judge(seen).phase is Phase.FAILED
    assert judge(replace(seen, pods=[leaving])).findings == ()


def test_new_pods_fail_while_old_ones_serve_is_degraded() -> None:
    seen = seen_of_case({**CRASH, "publish": "ingress", "slice": {"endpoints": [{"conditions": {"ready": True}}]}})
    verdict = judge(replace(seen, pods=[*seen.pods, old_pod(ready=True)]))
    assert (verdict.phase, verdict.serving, verdict.findings[0].cause) == (Phase.DEGRADED, True, "crash")


def test_a_missing_path_fails_what_would_serve() -> None:
    verdict = judge(seen_of_case({**READY, "ingress": None}))
    assert (verdict.phase, verdict.serving) == (Phase.FAILED, False)


def test_a_route_that_nobody_accepted_serves_nobody() -> None:
    verdict = judge(seen_of_case({"ready": True, "publish": "httproute", "route": {"status": {"parents": []}}}))
    assert (verdict.phase, verdict.given_up().phase) == (Phase.PROGRESSING, Phase.FAILED)


def test_two_faults_are_both_named_the_first_cause_first() -> None:
    verdict = judge(seen_of_case({**CRASH, "publish": "ingress", "ingress": None}))
    assert [one.cause for one in verdict.findings] == ["path_missing", "crash"]


def test_a_missed_deadline_is_no_cause_where_there_is_one() -> None:
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    verdict = judge(seen_of_case({**CRASH, "deployment": {"status": {"conditions": [late]}}}))
    assert [one.cause for one in verdict.findings] == ["crash"]
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "1 Insufficient cpu"}
    waiting = judge(seen_of_case({"pod": {"status": {"conditions": [unscheduled]}}, "deployment": {"status": {"conditions": [late]}}}))
    assert (waiting.phase, waiting.overdue) == (Phase.PROGRESSING, True)
    given_up = waiting.given_up()
    assert (given_up.phase, given_up.findings[0].severity) == (Phase.FAILED, Severity.FATAL)


def test_a_crash_hides_the_probe_that_fails_because_of_it() -> None:
    events = [{"reason": "Unhealthy", "message": "Readiness probe failed: connection refused", "involvedObject": {"uid": "p-1"}}]
    assert [one.cause for one in judge(seen_of_case({**CRASH, "events": events})).findings] == ["crash"]


def test_a_probe_that_failed_once_says_only_that_the_container_has_begun() -> None:
    event = {"reason": "Unhealthy", "message": "Readiness probe failed: x", "involvedObject": {"uid": "p-1"}, "count": 2}
    running = {"container": {"state": {"running": {"startedAt": "x"}}}}
    assert judge(seen_of_case({**running, "events": [event]})).progress == ("pod 6d9f-x2k1p: started, waiting for readiness",)
    assert [one.cause for one in judge(seen_of_case({**running, "events": [{**event, "count": 3}]})).findings] == ["readiness"]


def test_three_pods_with_one_cause_are_one_finding() -> None:
    seen = seen_of_case(CRASH)
    others = [
        laid_over(seen.pods[0], {"metadata": {"name": f"lms-deployment-c42-6d9f-{number}", "uid": f"p-{number}"}}) for number in (2, 3)
    ]
    assert len(judge(replace(seen, pods=[*seen.pods, *others])).findings) == 1


def test_scaled_to_zero_is_suspended() -> None:
    assert judge(seen_of_case({"deployment": {"spec": {"replicas": 0}}})).phase is Phase.SUSPENDED


def test_absent_and_absent_because_of_a_job() -> None:
    assert judge(replace(seen_of_case({}), deployment=None)).phase is Phase.ABSENT
    failed = laid_over(BASE["job"], {"status": {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}})
    verdict = judge(Seen(client=seen_of_case({}).client, namespace="lms-dev", jobs=[failed]))
    assert (verdict.phase, verdict.findings[0].cause) == (Phase.FAILED, "job_failed")


def test_only_a_giving_up_makes_waiting_fatal() -> None:
    ready = judge(seen_of_case(READY))
    assert ready.given_up() == ready


def test_what_is_wanted_grows_with_what_is_wrong() -> None:
    assert wanted(seen_of_case(READY)).references == {("IngressClass", "nginx"), ("Secret", "tls")}
    starting = wanted(seen_of_case({}))
    assert (starting.events, starting.logs, starting.references) == (frozenset({"p-1"}), frozenset(), frozenset())
    crashed = wanted(seen_of_case(CRASH))
    assert crashed.logs == {LogKey("lms-deployment-c42-6d9f-x2k1p", "c42", previous=True, ends=4)}
    missing = wanted(seen_of_case({"container": {"state": {"waiting": {"reason": "CreateContainerConfigError"}}}}))
    assert ("Secret", "lms-credentials-c42") in missing.references
    assert ("ConfigMap", "lms-config-c42") in missing.references
    assert ("Secret", "rsa-secret-c42") in missing.references
    unscheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    assert wanted(seen_of_case({"pod": {"status": {"conditions": [unscheduled]}}})).nodes
    assert wanted(seen_of_case(NO_POD)).quotas
    assert not (starting.quotas or crashed.quotas or missing.quotas)


def test_a_run_that_ended_later_has_another_log() -> None:
    """It runs again after its first end, and has ended a second time: both are restart 1, and each has a log of its own."""
    ended = {"restartCount": 1, "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    running, waiting = {"running": {"startedAt": "x"}}, {"waiting": {"reason": "CrashLoopBackOff"}}
    first, second = (wanted(seen_of_case({"container": {**ended, "state": state}})).logs for state in (running, waiting))
    assert first
    assert second
    assert first.isdisjoint(second)


def test_the_log_of_a_container_that_never_became_ready_is_wanted_at_the_end_only() -> None:
    event = {
        "reason": "Unhealthy",
        "message": "Readiness probe failed: x",
        "involvedObject": {"uid": "p-1", "fieldPath": "spec.containers{c42}"},
    }
    seen = seen_of_case({"container": {"state": {"waiting": None, "running": {}}}, "events": [event]})
    assert wanted(seen).logs == frozenset()
    assert wanted(seen, last=True).logs == {LogKey("lms-deployment-c42-6d9f-x2k1p", "c42", previous=False)}


STEPS = {
    "pod 6d9f-x2k1p: waiting for a node": {"pod": {"spec": {"nodeName": None}}},
    "pod 6d9f-x2k1p: creating container": {},
    "pod 6d9f-x2k1p: pulling image": {"events": [{"reason": "Pulling", "involvedObject": {"uid": "p-1"}}]},
    "pod 6d9f-x2k1p: started, waiting for readiness": {"container": {"state": {"running": {"startedAt": "x"}}}},
    "1 of 1 ready": READY,
    "waiting for the controller to see the new specification": {"deployment": {"metadata": {"generation": 9}}},
}


@pytest.mark.parametrize(("line", "case"), STEPS.items(), ids=STEPS)
def test_progress_in_words(line: str, case: dict[str, t.Any]) -> None:
    assert judge(seen_of_case(case)).progress == (line,)


def test_the_image_that_runs_with_its_digest() -> None:
    assert image_of(seen_of_case(READY)).startswith("registry.example/lms/backend:dev@sha256:1f2e90c4")
    assert image_of(seen_of_case({})) == ""


def test_pods_are_told_as_the_api_gives_them() -> None:
    (pod,) = pods_of(seen_of_case(READY))
    assert pod["name"] == "lms-deployment-c42-6d9f-x2k1p"
    assert pod["containers"][0]["state"] == {"running": {"startedAt": "2026-11-21T10:00:04Z"}}


# A run that began an hour after the pod of all cases was made.
BEGAN = dt.datetime(2026, 11, 21, 11, tzinfo=dt.UTC).timestamp()
LATER = "2026-11-21T11:00:20Z"
ENDED: dict[str, t.Any] = laid_over(CRASH, {"container": {"lastState": {"terminated": {"finishedAt": "2026-11-21T10:59:00Z"}}}})
NOT_PULLED = {"container": {"state": {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x": not found'}}}}
NO_POD = {
    "pod": None,
    "replica_set": {
        "metadata": {"creationTimestamp": "2026-11-21T09:00:00Z"},
        "status": {
            "conditions": [
                {
                    "type": "ReplicaFailure",
                    "status": "True",
                    "reason": "FailedCreate",
                    "message": "exceeded quota: q, requested: a=1, used: a=1, limited: a=1",
                    "lastTransitionTime": "2026-11-21T10:30:00Z",
                }
            ]
        },
    },
}
LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "lastTransitionTime": "2026-11-21T10:30:00Z"}
WITH_AN_OLD_REPLICA_SET = {"replica_set": {"metadata": {"creationTimestamp": "2026-11-21T09:00:00Z"}}}
OVERDUE = {"deployment": {"status": {"conditions": [LATE]}}, **WITH_AN_OLD_REPLICA_SET}
NOT_MOUNTED = {
    "events": [
        {
            "reason": "FailedMount",
            "message": 'MountVolume.SetUp failed for volume "ca" : references non-existent secret key: ca.crt',
            "lastTimestamp": "2026-11-21T10:59:00Z",
            "involvedObject": {"uid": "p-1"},
        }
    ]
}
OLD_FAULTS = {
    "crash": ENDED,
    "image_not_found": NOT_PULLED,
    "quota": NO_POD,
    "rollout_deadline": OVERDUE,
    "key_missing_in_volume": NOT_MOUNTED,
}


@pytest.mark.parametrize(("cause", "case"), OLD_FAULTS.items(), ids=OLD_FAULTS)
def test_what_failed_before_the_run_began_is_waited_for(cause: str, case: dict[str, t.Any]) -> None:
    told = judge(seen_of_case({**case, "began": BEGAN}))
    assert [(one.cause, one.severity) for one in told.findings] == [(cause, Severity.WAITING)]
    assert (told.phase, told.stuck) == (Phase.PROGRESSING, True)
    of_now = judge(seen_of_case(case))
    assert (of_now.phase, of_now.stuck, of_now.findings[0].severity) == (Phase.FAILED, False, Severity.FATAL)
    assert told.given_up().phase is Phase.FAILED


NEWER = {
    "it crashed again": laid_over(ENDED, {"container": {"lastState": {"terminated": {"finishedAt": LATER}}}}),
    "it was pulled again": {
        **NOT_PULLED,
        "events": [
            {"reason": "Failed", "message": 'Failed to pull image "x": not found', "lastTimestamp": LATER, "involvedObject": {"uid": "p-1"}}
        ],
    },
    "the pod was made by this run": laid_over(ENDED, {"pod": {"metadata": {"creationTimestamp": LATER}}}),
    "the ReplicaSet was made by this run": laid_over(NO_POD, {"replica_set": {"metadata": {"creationTimestamp": LATER}}}),
}


@pytest.mark.parametrize("case", NEWER.values(), ids=NEWER)
def test_what_happened_since_counts(case: dict[str, t.Any]) -> None:
    told = judge(seen_of_case({**case, "began": BEGAN}))
    assert (told.phase, told.stuck) == (Phase.FAILED, False)


def test_a_back_off_is_no_new_try() -> None:
    event = {"reason": "Failed", "message": "Error: ImagePullBackOff", "lastTimestamp": LATER, "involvedObject": {"uid": "p-1"}}
    assert judge(seen_of_case({**NOT_PULLED, "events": [event], "began": BEGAN})).stuck


def test_what_is_proven_now_is_not_old() -> None:
    container = {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "lms-credentials-c42" not found'}}}
    told = judge(seen_of_case({"container": container, "absent": [["Secret", "lms-credentials-c42"]], "began": BEGAN}))
    assert (told.phase, told.findings[0].cause) == (Phase.FAILED, "credentials_missing")


def test_a_container_that_runs_again_is_left_to_itself() -> None:
    running = laid_over(ENDED, {"container": {"state": {"waiting": None, "running": {"startedAt": LATER}}}})
    told = judge(seen_of_case({**running, "began": BEGAN}))
    assert (told.phase, told.stuck) == (Phase.PROGRESSING, False)


# It ended for the fourth time after eight seconds, and runs for the fifth.
FIFTH_RUN: dict[str, t.Any] = {
    "container": {
        "restartCount": 4,
        "state": {"running": {"startedAt": "2026-11-21T11:00:00Z"}},
        "lastState": {
            "terminated": {
                "exitCode": 3,
                "reason": "Error",
                "startedAt": "2026-11-21T10:58:52Z",
                "finishedAt": "2026-11-21T10:59:00Z",
            }
        },
    }
}


@pytest.mark.parametrize(("seconds", "phase"), [(0, Phase.FAILED), (11, Phase.FAILED), (12, Phase.PROGRESSING)])
def test_a_crash_loop_is_one_between_two_crashes_too(seconds: int, phase: Phase) -> None:
    told = judge(seen_of_case({**FIFTH_RUN, "now": BEGAN + seconds}))
    assert (told.phase, told.findings[0].cause) == (phase, "crash")


def test_the_first_crash_is_no_loop_while_it_runs_again() -> None:
    second = laid_over(FIFTH_RUN, {"container": {"restartCount": 1}})
    assert judge(seen_of_case({**second, "now": BEGAN})).phase is Phase.PROGRESSING


def test_each_of_two_containers_names_its_own_missing_object() -> None:
    seen = seen_of_case({"absent": [["Secret", "one"], ["ConfigMap", "two"]]})
    words = {"c42": 'secret "one" not found', "sidecar": 'configmap "two" not found'}
    seen.pods[0]["status"]["containerStatuses"] = [
        {"name": name, "restartCount": 0, "state": {"waiting": {"reason": "CreateContainerConfigError", "message": text}}}
        for name, text in words.items()
    ]
    assert [(one.container, one.message.partition(" is missing")[0]) for one in judge(seen).findings] == [
        ("c42", "Secret lms-dev/one"),
        ("sidecar", "ConfigMap lms-dev/two"),
    ]


def test_a_sidecar_s_crash_does_not_hide_that_the_back_end_is_not_ready() -> None:
    unready = {"reason": "Unhealthy", "message": "Readiness probe failed: 503"}
    about = {"uid": "p-1", "fieldPath": "spec.containers{c42}"}
    seen = seen_of_case({"events": [{**unready, "involvedObject": about}]})
    running = {"name": "c42", "restartCount": 0, "state": {"running": {"startedAt": "x"}}}
    seen.pods[0]["status"]["containerStatuses"] = [running, {"name": "sidecar", **CRASH["container"]}]
    assert [(one.cause, one.container) for one in judge(seen).findings] == [("crash", "sidecar"), ("readiness", "c42")]


def test_a_path_of_another_class_or_gateway_is_no_rival() -> None:
    rules = [{"host": "b.example", "http": {"paths": [{"path": "/C42"}]}}]
    made = {"creationTimestamp": "2020-01-01T00:00:00Z"}
    own = {"ready": True, "publish": "ingress", "ingress": {"metadata": {"creationTimestamp": LATER}, "spec": {"rules": rules}}}
    internal = {"metadata": {"name": "internal", **made}, "spec": {"ingressClassName": "internal", "rules": rules}}
    assert judge(seen_of_case({**own, "neighbours": [internal]})).phase is Phase.READY
    annotated = {"metadata": {"name": "old", **made, "annotations": {"kubernetes.io/ingress.class": "nginx"}}, "spec": {"rules": rules}}
    assert judge(seen_of_case({**own, "neighbours": [annotated]})).findings[0].cause == "path_taken"
    matches = {"hostnames": ["b.example"], "rules": [{"matches": [{"path": {"value": "/C42"}}]}]}
    route = {"ready": True, "publish": "httproute", "route": {"spec": matches}}
    other = {"metadata": {"name": "other", **made}, "spec": {**matches, "parentRefs": [{"name": "internal", "namespace": "gateway"}]}}
    assert judge(seen_of_case({**route, "neighbours": [other]})).phase is Phase.READY


def test_a_finalizer_has_some_seconds_for_its_work() -> None:
    deleted = {"metadata": {"deletionTimestamp": "2026-11-21T11:00:00Z", "finalizers": ["example.com/dns"]}}
    early, late = (judge(seen_of_case({**READY, "deployment": deleted, "now": BEGAN + seconds})) for seconds in (2, 11))
    assert (early.phase, early.findings[0].severity) == (Phase.PROGRESSING, Severity.WAITING)
    assert (late.phase, late.findings[0].severity) == (Phase.DEGRADED, Severity.FATAL)


def test_who_only_looks_is_told_which_command_applies_it() -> None:
    assert judge(seen_of_case(NOT_PULLED)).findings[0].next.endswith(", then run the same command again")
    looked = judge(seen_of_case({**NOT_PULLED, "waited": False})).findings[0].next
    assert looked.endswith(", then run ansible-playbook provision_client.yml -e client=C42")


def test_of_what_was_not_looked_at_nothing_is_claimed() -> None:
    assert state_of_environment(Verdict(Phase.UNKNOWN)) == "not known: it was not looked at, and nothing was touched"


def test_the_pods_of_before_serve_only_where_new_ones_fail() -> None:
    serving = {"slice": {"endpoints": [{"conditions": {"ready": True}}]}}
    stuck = judge(replace(seen_of_case({**CRASH, **serving}), pods=[*seen_of_case(CRASH).pods, old_pod(ready=True)]))
    assert state_of_environment(stuck) == "requests are still served by the pods of before; nothing to clean up"
    not_asked = judge(seen_of_case({**READY, "answer": {"reason": "NotAsked", "message": "no such image"}}))
    assert (not_asked.phase, state_of_environment(not_asked)) == (Phase.DEGRADED, "the pods are ready and serve; nothing to clean up")
