"""Which test would fail if a row of the support table were not true. A row without one fails here.

The suites ``Canvases``, ``Rerouted``, ``Meaning`` and ``Exact`` run on every engine, with tasks
sent alone and in canvases. Of rows that say "exact" ``test_exact`` wants both. Rows on what Celery
does otherwise than it documents are held by that suite, by the planner's tests and by the
differential ones.
"""

import ast
from pathlib import Path

import pytest

from offcanvas.engines.features import DEVIATIONS, FAULTS, OLDER, Feature

ROOT = Path(__file__).parents[2]
SUITE = "offcanvas/testing/suite.py"
MEANING = "tests/engines/meaning.py"
SENDING = "tests/engines/test_sending.py"
RUNTIME = "tests/engines/test_task_runtime.py"
MEMORY = "tests/engines/test_memory.py"
SUPPORT = "tests/engines/test_support.py"
LIFT = "tests/canvas/test_lift.py"
EXACT = "tests/engines/exact.py"
FAULTS_THERE = "tests/engines/temporal/test_faults.py"
LONE = "tests/engines/temporal/test_lone.py"
BATCHED = "tests/engines/batched.py"
RANDOM = "tests/differential/test_differential.py"

#: By feature: the file and the name of a test.
TESTS = {
    Feature.NODE_TASK: (SUITE, "test_values"),
    Feature.NODE_CHAIN: (SUITE, "test_values"),
    Feature.NODE_GROUP: (SUITE, "test_values"),
    Feature.NODE_CHORD: (SUITE, "test_values"),
    Feature.NODE_MAP: (SUITE, "test_values"),
    Feature.NODE_STARMAP: (SUITE, "test_values"),
    Feature.NODE_CHUNKS: (SUITE, "test_values"),
    Feature.OPTION_QUEUE: (SUITE, "test_queue_priority_and_stamps_reach_the_request"),
    Feature.OPTION_PRIORITY: (SUITE, "test_queue_priority_and_stamps_reach_the_request"),
    Feature.OPTION_COUNTDOWN: (SUITE, "test_countdown_is_waited_for"),
    Feature.OPTION_ETA: (MEANING, "test_a_moment_is_waited_for_alone_and_in_a_canvas"),
    Feature.OPTION_EXPIRES: (SUITE, "test_expired_tasks_are_revoked"),
    Feature.OPTION_TIME_LIMIT: (MEANING, "test_limits_and_names_given_with_a_task_reach_it"),
    Feature.OPTION_SOFT_TIME_LIMIT: (MEANING, "test_limits_and_names_given_with_a_task_reach_it"),
    Feature.OPTION_IGNORE_RESULT: (
        MEANING,
        "test_a_lone_task_without_a_result_gives_none_at_once",
    ),
    Feature.OPTION_SERIALIZER: (MEANING, "test_limits_and_names_given_with_a_task_reach_it"),
    Feature.OPTION_SHADOW: (MEANING, "test_limits_and_names_given_with_a_task_reach_it"),
    Feature.OPTION_STAMPS: (MEANING, "test_stamps_keep_their_order"),
    Feature.OPTION_LINK: (SUITE, "test_callbacks_get_the_result"),
    Feature.OPTION_LINK_ERROR: (SUITE, "test_a_failure_stops_the_chain_and_fires_errbacks_once"),
    Feature.OPTION_EXTRA: (MEANING, "test_the_class_of_a_task_is_asked_how_it_is_sent"),
    Feature.TASK_RETRY: (SUITE, "test_values"),
    Feature.TASK_RETRY_OPTIONS: (MEANING, "test_a_retry_has_the_options_that_it_is_given"),
    Feature.TASK_RETRY_QUIETLY: (MEANING, "test_a_retry_that_raises_nothing_runs"),
    Feature.TASK_REQUEST_CHAIN: (MEANING, "test_a_task_changes_what_follows_it"),
    Feature.TASK_REPLACE: (SUITE, "test_values"),
    Feature.TASK_ADD_TO_CHORD: (SUITE, "test_values"),
    Feature.TASK_STARTS_CANVAS: (SUITE, "test_canvases_started_in_tasks_run_too"),
    Feature.TASK_REQUEST: (SUITE, "test_the_request"),
    Feature.TASK_RESULT_GET: (MEANING, "test_result_get_in_a_task_is_refused"),
    Feature.TASK_REVOKE: (SUITE, "test_a_task_revokes_what_comes_after_it"),
    Feature.REVOKE_BY_STAMP: (MEANING, "test_a_task_revokes_by_stamped_headers"),
    Feature.OWN_SENDING: (MEANING, "test_the_class_of_a_task_is_asked_how_it_is_sent"),
    Feature.TASK_ROUTES: (SENDING, "test_routes_of_every_form_name_the_queue"),
    Feature.RATE_LIMIT: (MEANING, "test_a_rate_limit_spreads_tasks_out"),
    Feature.CONTROL_LIMITS: (MEANING, "test_a_task_that_changes_limits_is_told_that_it_cannot"),
    Feature.PYDANTIC_MODELS: (EXACT, "test_row"),
    Feature.OTHER_SERVICES: (
        "tests/engines/test_reroute.py",
        "test_a_task_of_another_service_goes_to_the_broker",
    ),
    Feature.HOOKS_AND_SIGNALS: (SUITE, "test_hooks_of_a_custom_base_are_called"),
    Feature.MESSAGE_SIGNALS: (MEANING, "test_no_message_is_published"),
    Feature.GENERATOR_HEADER: (
        "tests/canvas/test_lift.py",
        "test_generators_are_read_to_their_end",
    ),
    Feature.JSON_VALUES: (MEANING, "test_values_of_the_serializer_come_back"),
    Feature.OTHER_SERIALIZERS: (SENDING, "test_a_serializer_that_writes_no_json_is_refused"),
    Feature.IGNORE_AND_REJECT: (MEANING, "test_rejected_tasks_fail_unless_they_are_requeued"),
    Feature.REFUSED_RESULT: (MEANING, "test_a_result_that_the_serializer_refuses_fails_the_task"),
    Feature.ODD_EXCEPTIONS: (MEANING, "test_an_error_of_any_kind_fails_its_task_alone"),
    Feature.MISFIT_ERRBACK: (MEANING, "test_an_errback_that_does_not_fit_is_the_tasks_error"),
    Feature.MISFIT_IN_BODY: (
        "tests/differential/test_cases.py",
        "test_members_of_a_body_run_beside_one_that_does_not_fit",
    ),
    Feature.RAISED_WORKER_LOST: (
        MEANING,
        "test_a_task_that_raises_worker_lost_itself_has_errbacks_called_once",
    ),
    Feature.STORED_EXCEPTIONS: (MEANING, "test_an_error_of_any_kind_fails_its_task_alone"),
    Feature.RESULT_BACKEND: (SUITE, "test_callers_get_celerys_results"),
    Feature.KILLED_WORKER: (FAULTS_THERE, "test_a_task_that_is_acknowledged_late_runs_again"),
    Feature.BATCHES: (BATCHED, "test_members_are_siblings_of_whatever_becomes_of_one"),
    Feature.LONE_ACTIVITIES: (LONE, "test_a_retry_goes_on_as_a_workflow"),
    Feature.BURSTS: (BATCHED, "test_tasks_that_are_sent_alone_go_together"),
    **dict.fromkeys(DEVIATIONS, (EXACT, "test_row")),
    **dict.fromkeys(FAULTS, (RANDOM, "test_memory_does_what_celery_does")),
    Feature.HANG_IGNORE: (SUITE, "test_ignore_leaves_the_caller_waiting"),
    **dict.fromkeys(OLDER, (RANDOM, "test_memory_does_what_celery_does")),
}


def _tests(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {one.name for one in ast.walk(tree) if isinstance(one, kinds)}


@pytest.mark.parametrize("feature", Feature)
def test_every_row_is_held_by_a_test(feature):
    path, name = TESTS[feature]
    assert name in _tests(path)


def test_every_kind_of_canvas_is_among_the_values():
    from offcanvas.canvas.lift import lift
    from offcanvas.canvas.nodes import kind, walk
    from offcanvas.testing.suite import NESTED, SIMPLE

    kinds = {kind(place.node) for made, _ in (*SIMPLE, *NESTED) for place in walk(lift(made))}
    assert kinds == {"task", "chain", "group", "chord", "map", "starmap", "chunks"}
