"""The codes of what a port is not silent about, and what each of them asks.

A *decide* compiles and runs and changes something small that is said beside it; a *todo* is code
that raises at its line until somebody has written it; a *refused* construct leaves nothing written.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from offcanvas.errors import UsageError


class Verdict(Enum):
    """How near the port of a construct is to what Celery does."""

    EXACT = "exact"
    DECIDE = "decide"
    TODO = "todo"
    REFUSED = "refused"


class Effort(Enum):
    """What a code costs the team that takes the port over, least first."""

    READ = "read it, and leave it or change a line"
    OPERATE = "for who runs it: limits, queues, workers"
    REWRITE = "write a function"
    REDESIGN = "decide how it is to work"


@dataclass(frozen=True, slots=True)
class Code:
    """A code with its one-line title and the explanation that ``--explain`` prints."""

    code: str
    verdict: Verdict
    title: str
    text: str

    @property
    def effort(self) -> Effort:
        """What it costs, by its kind."""
        if self.code in _OPERATE:
            return Effort.OPERATE
        if self.code in _REDESIGN:
            return Effort.REDESIGN
        return Effort.REWRITE if self.verdict is Verdict.TODO else Effort.READ


_OPERATE: Final = frozenset(
    {
        "PORT110",
        "PORT112",
        "PORT113",
        "PORT147",
        "PORT148",
        "PORT115",
        "PORT116",
        "PORT117",
        "PORT125",
    }
)
_REDESIGN: Final = frozenset({"PORT213", "PORT214", "PORT216"})


_ALL: Final = (
    Code(
        "PORT110",
        Verdict.DECIDE,
        "no time limit in Celery",
        """Celery lets a task run for ever unless it is given a time limit. Temporal requires one
for each attempt of an activity (`start_to_close_timeout`). An hour is emitted, which is a
guess. Choose ten times the 99th percentile of the task's run time: what is longer is then
tried again or failed.""",
    ),
    Code(
        "PORT111",
        Verdict.DECIDE,
        "full jitter of the waits between attempts",
        """Celery's `retry_backoff` draws each wait between 0 and the backoff, unless it is told
`retry_jitter=False`. Temporal has no such jitter: the waits are the backoff itself, twice as
long in the mean, and if many activities fail at one moment, their second attempts come at one
moment too. Prefect's `retry_jitter_factor=1` draws each wait between a little and twice the
backoff, so that they are spread, and twice as long in the mean as well.""",
    ),
    Code(
        "PORT112",
        Verdict.DECIDE,
        "acks_late: again when the worker is lost",
        """With `acks_late` the message of a worker that died is delivered again. On Temporal the
heartbeat timeout notices the dead worker and the activity is attempted again; errors of the
step itself are not retried because of it. Attempts are not limited, as deliveries are not. On
Prefect nothing is begun again by itself: the flow run whose process is lost ends as Crashed, and
`prefect flow-run retry` or an automation has it run again, from its beginning.""",
    ),
    Code(
        "PORT113",
        Verdict.DECIDE,
        "time limits end a process in Celery",
        """Celery's `time_limit` kills the process of a task, `soft_time_limit` raises in it. No
engine kills code: Temporal and Prefect give a step up at its limit, and its thread works on. The
step therefore has a process of its own (`limits.py`), which is killed at its limit, and it fails
for good then, as on Celery. Such a process costs some milliseconds, and begins with what
`limits.py` has it import: `django.setup()` stands there. Arguments and results are pickled on
their way.""",
    ),
    Code(
        "PORT114",
        Verdict.DECIDE,
        "expires",
        """An expired Celery task is revoked without a trace of a failure, and no errback is
called. On the other engine a step that has not begun in time ends as a failure, and errbacks
are steps after it.""",
    ),
    Code(
        "PORT115",
        Verdict.DECIDE,
        "queue and routes",
        """The task was sent to a queue of its own. On Temporal the worker of the port serves that
task queue too, in the same process; start a worker for it on other machines if that is what the
queue was for. On Prefect a step runs where its flow runs: give the whole flow a work pool in
`prefect.yaml`, or make the step a flow of its own that has one.""",
    ),
    Code(
        "PORT116",
        Verdict.DECIDE,
        "priority",
        """The broker's priorities have no equal: Redis takes 0 as the highest, RabbitMQ 9 or
more, and Temporal's `priority_key` is 1 (first) to 5. The step is emitted without a priority.""",
    ),
    Code(
        "PORT117",
        Verdict.DECIDE,
        "rate limit",
        """Celery limits a task's rate in each worker process. On the other engine a limit holds
for a task queue or for the whole server. On Temporal it is not emitted: choose where it belongs.
On Prefect the step takes a slot of a global concurrency limit of the same rate, which the worker
creates when it starts; multiply it by the number of Celery's workers if they were many.""",
    ),
    Code(
        "PORT118",
        Verdict.DECIDE,
        "retries without a limit",
        """`max_retries=None` retries for ever. Temporal does the same with `maximum_attempts=0`.
Prefect's list of waits ends; a large number is emitted.""",
    ),
    Code(
        "PORT119",
        Verdict.DECIDE,
        "headers, stamps, ignore_result",
        """What was put on the message is not handed on. On Temporal use a memo or a search
attribute of the workflow, or an interceptor for a trace; on Prefect tags of the run. Of a task with
`ignore_result` Celery's caller gets None; here a result is kept like any other: return None if it
is large.""",
    ),
    Code(
        "PORT120",
        Verdict.DECIDE,
        "a link comes before the next step",
        """Celery sends a `link` as soon as its task has succeeded, beside the next step, and the
failure of a link is nobody's. Here the link is a step of its own, right after the step that it
hangs on and before the next one, which waits for it; its failure is logged and not raised. Move
it to the end if the next step is not to wait.""",
    ),
    Code(
        "PORT121",
        Verdict.DECIDE,
        "an errback of the old form gets an id",
        """An errback with one parameter is told the id of the failed task. It gets the id of the
workflow or flow run instead; look a failure up under that id.""",
    ),
    Code(
        "PORT122",
        Verdict.DECIDE,
        "the failure of a chord's header",
        """Celery tells the errbacks of a chord's body a ChordError that quotes the member's
error, and so it does to who waits for a group or for another chord's body in which the chord
stands. Here they are told the member's own error: its class and its text.""",
    ),
    Code(
        "PORT123",
        Verdict.DECIDE,
        "eta",
        """An absolute time is turned into a wait from the moment at which the step is due to be
sent.""",
    ),
    Code(
        "PORT124",
        Verdict.DECIDE,
        "a group that may have one member only",
        """Inside a chain Celery replaces a group of one member by that member: what follows, or
the caller, gets its value and not a list of one. Whether that happens is decided by the
number of rows. Here the result of a group is always a list.""",
    ),
    Code(
        "PORT125",
        Verdict.DECIDE,
        "a wide fan-out",
        """The number of members is not known before the run. They are started a hundred at a
time. On Temporal more than 500 members are put in slices, four at a time: the fan-out is a
workflow class of its own, which the canvas's workflow runs itself while there are few, and as child
workflows when there are many, because one history ends at 51,200 events. A fan-out of several
loops, or one whose members look at the whole list, is not put in slices. On Prefect the window is
all that is needed, as a flow run has no history.""",
    ),
    Code(
        "PORT126",
        Verdict.DECIDE,
        "a long wait inside of a flow",
        """Celery's worker keeps a message with a `countdown` and does other work meanwhile. A
Prefect flow that sleeps keeps its process, and is lost with it. That is well for a minute. For
longer waits make what follows a flow of its own and start it at that time:
`starter.start_x(..., at=...)`.""",
    ),
    Code(
        "PORT127",
        Verdict.DECIDE,
        "a generator that Celery reads after the loop",
        """`group(task.s(x) for y in ys)` is a generator: Celery reads it when the canvas is sent,
and by then the variables of the loop around it have their last values, in every member. What is
emitted is what the line says: the values of its own round. Give a `--sample`: if Celery's side
does something else, the port is refused, and a list in the place of the generator mends both.""",
    ),
    Code(
        "PORT128",
        Verdict.DECIDE,
        "an errback that asks for the class of the error",
        """Only the name of an error's class crosses an engine. `isinstance(error, X)` has become a
comparison of that name with X's and with those of the classes of this project that derive from X;
classes of libraries that do are not known. A traceback is not handed on to `exc_info`.""",
    ),
    Code(
        "PORT129",
        Verdict.DECIDE,
        "a task that ends its chain",
        """`self.request.chain = None` and a return: Celery sends nothing further, calls no errback,
and nobody gets a result; as a member of a chord the chord never ends. Here the step raises
`ChainEnded`, and the workflow, or the member of a fan-out, ends with `None`. Say it in the data
instead, with a condition in the workflow, when Celery is gone.""",
    ),
    Code(
        "PORT130",
        Verdict.DECIDE,
        "a type that is not known",
        """The parameter has no annotation, or one that cannot be written without importing
Celery's side. `Any` is emitted: values are then what JSON makes of them.""",
    ),
    Code(
        "PORT131",
        Verdict.DECIDE,
        "data that the canvas is built from is read by a step",
        """The builder read this while it built the canvas, in the process of the caller. Now a
step reads it, at the beginning of the workflow, so that every replay sees the same data. If
the caller's transaction has to be seen, start the workflow after it is committed.""",
    ),
    Code(
        "PORT132",
        Verdict.DECIDE,
        "code of the builder that touches the world runs once",
        """These statements of the builder do more than read. They are a step of their own that
is not tried again, because nobody knows whether they may be repeated. Allow retries if they
may.""",
    ),
    Code(
        "PORT133",
        Verdict.DECIDE,
        "a task that replaces itself, sends as its last act, or waits",
        """The body of the task became a workflow. What it did before its canvas is a step.""",
    ),
    Code(
        "PORT134",
        Verdict.DECIDE,
        "re-rolled from a canvas that was built already",
        """The target is a canvas, not the function that built it. Members that differ in their
arguments only have become a loop over an input; which of them was a list before, only you can
know.""",
    ),
    Code(
        "PORT135",
        Verdict.DECIDE,
        "a canvas that is only sent",
        """The builder sends its canvas and returns a result object. The workflow is started by
the starter instead; its caller gets a handle.""",
    ),
    Code(
        "PORT136",
        Verdict.DECIDE,
        "a body that exists twice",
        """Celery's task keeps its own body, because it could not be made a call for certain: a
`self.retry` whose exception may come from elsewhere, a name that is taken. Change both, or make
Celery's task call the function of the `work` module by hand.""",
    ),
    Code(
        "PORT137",
        Verdict.DECIDE,
        "a canvas that is sent in the midst of other code",
        """The function does more than build a canvas: it is a caller, and stays as it is. What it
sends is a workflow, and what the canvas needs of the function is the workflow's input. `PORT.md`
has the line that starts it, to be put in the place of the one that sends. Where the line stands in
`transaction.on_commit`, it stays there.""",
    ),
    Code(
        "PORT138",
        Verdict.DECIDE,
        "self.retry(error)",
        """The first parameter of `Task.retry` is `args`, the arguments of the next attempt: Celery
fails on an exception there, and there is no next attempt. What is meant is `self.retry(exc=error)`,
and that is emitted. Mend Celery's side too, or allow one attempt only.""",
    ),
    Code(
        "PORT139",
        Verdict.DECIDE,
        "a body that is called counts no attempts",
        """With `--bodies call` a step calls `task.run`. In a body that is called directly
`self.request.retries` is 0 at every attempt, and `self.retry` raises its exception: the policy
decides whether there is another attempt. A body that looks at the count does not see it.""",
    ),
    Code(
        "PORT141",
        Verdict.DECIDE,
        "objects as arguments",
        """The project sends pickles, so that an argument or a result may be any object. No engine's
JSON carries one. What JSON would not give back as it was is handed on as a pickle inside of it, by
`objects.packed`, and nothing is changed on the way. A pickle is read only as long as its class can
be imported, and runs code when it is read, here as in Celery. Hand in ids or dataclasses, and
`objects.py` can go.""",
    ),
    Code(
        "PORT142",
        Verdict.DECIDE,
        "waits of several kinds between attempts",
        """The task is tried again in more than one way, and each has a wait of its own: one for the
errors of `autoretry_for`, others in the calls of `self.retry`. Prefect has one list of waits for a
task, so the task sleeps before it fails, and holds its place meanwhile. Make one list of them, as
`retry_delay_seconds`, if the difference does not matter. On Temporal the body's own wait is the
next one (`next_retry_delay`).""",
    ),
    Code(
        "PORT143",
        Verdict.DECIDE,
        "a task that the body of another one sends",
        """The body calls `other.delay(...)` and goes on. What sends is handed in to it now:
`other.delay` by Celery's task, and by the step a function of `sends.py` that starts a workflow of
one step, and does not wait for it. A step that is tried again sends again, as in Celery. Where the
canvas should wait for it, make it a step.""",
    ),
    Code(
        "PORT144",
        Verdict.DECIDE,
        "a decorator of the project's own around a task",
        """The task has another decorator than Celery's. Where the task is a step, it calls its body
through the same decorator, without the task object that a bound task has. Where the task has
become a workflow, nothing is around it: a lock ("one at a time") is what the workflow's id does, on
Prefect a concurrency limit.""",
    ),
    Code(
        "PORT145",
        Verdict.DECIDE,
        "Celery does not do here what it documents",
        """What Celery documents and what Celery 5.7 does part at this canvas (docs/support.md has
all such places). What is emitted does as documented: a group in a group keeps its order, for
example, where Celery reverses it. If your code counts on what Celery does, write that out. The
emitted test against Celery is marked to differ in this canvas.""",
    ),
    Code(
        "PORT146",
        Verdict.DECIDE,
        "chunks inside another canvas",
        """On Celery chunks in a chain, a group or a chord start their group and go on at once: what
follows gets the ids of the parts (celery/celery#8200), and EncodeError is raised when a task takes
them. Here the parts are members like all others, and what follows gets their results. If nothing
was to wait for them, start them as a workflow of their own.""",
    ),
    Code(
        "PORT147",
        Verdict.DECIDE,
        "a time limit that ends no thread",
        """The step cannot have a process of its own: it has a decorator around it, asks for its
next attempt in several ways, is called as Celery's `task.run`, or the limit is that of one call
among others (Temporal) or known at run time only. It is given up at the limit, and its thread works
on until it returns; another attempt may overlap with it. Make it give up by itself: with timeouts
of its own calls.""",
    ),
    Code(
        "PORT148",
        Verdict.DECIDE,
        "a setting of the app that holds for its tasks",
        """`task_time_limit`, `task_soft_time_limit`, `task_acks_late` and `task_ignore_result` hold
for every task that does not say otherwise, and are emitted so. The one that is named here is read
from the environment or written in several places: name the app with `-A`, and it is taken as your
app has it. `task_annotations`, `task_routes` and the default rate and priority are not emitted:
give them to the tasks in `policies.py` or `options.py`.""",
    ),
    Code(
        "PORT149",
        Verdict.DECIDE,
        "a handler of one of Celery's signals",
        """Celery calls the handler around tasks, at their messages or when a worker begins and
ends (`task_prerun`, `task_failure`, `before_task_publish`, `worker_process_init`, ...). No other
engine does, and the steps do without it: most handlers count, log or close connections. What the
work needs is an interceptor of the worker on Temporal, a hook of the task or flow on Prefect
(`on_failure=[...]`), or a call in the body.""",
    ),
    Code(
        "PORT150",
        Verdict.DECIDE,
        "a value that Celery's JSON changes on the way",
        """Behind Celery's JSON a tuple is a list and the keys of a dictionary are text, whatever
the annotation says; a set is refused. Here the value is what the annotation says: Temporal's
converter makes it so again, and on Prefect it never left the process. A body that asks for the
type, or looks keys up as text, does something else then. Hand on lists, and dictionaries with text
as keys.""",
    ),
    Code(
        "PORT151",
        Verdict.DECIDE,
        "an attempt that is given other arguments than the one before",
        """`self.retry(args=..., kwargs=...)` sends Celery's message again with other arguments, and
attempts are counted on. On Temporal an attempt tells the next one its arguments by a heartbeat,
which the server keeps; on Prefect they are kept in the process of the task run, which its attempts
share. As in a message, what is not given anew stays as it is, and all is plain JSON: an attempt
that asks for anything else fails, and there is no further one.""",
    ),
    Code(
        "PORT152",
        Verdict.DECIDE,
        "a context that the class of a task has around its body",
        """`__call__` of the task's class runs the body in a context (`with app.app_context():` of
Flask, say). `context.py` does the same around the step; an app that the function around that class
made for itself is made anew there, once in each process. One class that an app gives its tasks is
taken as that of all tasks; where apps give several, name it at the task (`base=`), which is a todo
without (PORT217).""",
    ),
    Code(
        "PORT210",
        Verdict.TODO,
        "an errback that reads more of the failure than its kind and text",
        """Celery calls an errback with the request and the exception object. Across engines only
the class name and the message of an error are carried. Put what the errback needs into its
input.""",
    ),
    Code(
        "PORT211",
        Verdict.TODO,
        "self.retry that a policy cannot express",
        """The wait before the next attempt, its arguments, or whether there is one, depends on
something that only the body knows. Or an `except Exception` around it catches Celery's own `Retry`:
the next attempt has been sent by then, and this one goes on. The step raises at this place until it
is written with the engine's own means (`ApplicationError(next_retry_delay=...)` on Temporal, a loop
in the flow on Prefect).""",
    ),
    Code(
        "PORT212",
        Verdict.TODO,
        "a use of `self` in the body of a task",
        """The body uses its Celery task object (`self`) for more than `self.request.retries` and
`self.retry`. A plain function has no such object: hand what it needs in as an argument.""",
    ),
    Code(
        "PORT213",
        Verdict.TODO,
        "a task that sends others in the middle of its body",
        """A step must not start work of its own behind the workflow's back. Move the send into
the workflow, or start a workflow of its own at this line with the starter.""",
    ),
    Code(
        "PORT214",
        Verdict.TODO,
        "a signature that comes from elsewhere",
        """What this expression gives back is a signature, and it is built outside of the project
or handed in. Its shape cannot be read.""",
    ),
    Code(
        "PORT215",
        Verdict.TODO,
        "a construct that the reader does not know",
        """This statement or expression takes part in building the canvas in a way that is not
translated.""",
    ),
    Code(
        "PORT216",
        Verdict.TODO,
        "self.add_to_chord",
        """A chord that grows while it runs has no equal. Add the member to the plan of the fan-
out.""",
    ),
    Code(
        "PORT217",
        Verdict.TODO,
        "a custom task class",
        """The class of the task has methods that Celery calls around its body (`on_failure`,
`before_start`, `__call__`, ...), or is a library's. What they do is not ported, so that the step
raises: write it as an interceptor of the worker on Temporal, a state hook of the task on Prefect,
or call it in the body, and let the step call `work` then.""",
    ),
    Code(
        "PORT218",
        Verdict.TODO,
        "a body that cannot stand without Celery",
        """The body of the task needs a name that only Celery's side has. Its step raises until
the body is written as a plain function.""",
    ),
    Code(
        "PORT300",
        Verdict.REFUSED,
        "a task that is chosen by a name in data",
        """Which task runs is decided by text (`send_task(name)`, `signature(name)`). No step can
be emitted for a name that nobody knows.""",
    ),
    Code(
        "PORT301",
        Verdict.REFUSED,
        "nothing in the target builds a canvas",
        """There is no signature in the target that could be translated.""",
    ),
    Code(
        "PORT303",
        Verdict.REFUSED,
        "arguments that do not fit the task",
        """The signature cannot be bound to the parameters of the task: Celery fails on it as
well.""",
    ),
    Code(
        "PORT304",
        Verdict.REFUSED,
        "options of a task that are not written out",
        """How often the task is tried and how long it may take is not in its decorator: it comes
from `**mapping` or from a setting. Name the app (`-A`), or give a `--sample`: the task is
imported then, and its options are read from it.""",
    ),
    Code(
        "PORT305",
        Verdict.REFUSED,
        "a body that sends, and is to be called",
        """With `--bodies call` the step calls `task.run`. The body sends tasks or replaces itself:
called directly it would do so on Celery's broker. Port it with `--bodies extract`.""",
    ),
    Code(
        "PORT306",
        Verdict.REFUSED,
        "a canvas that Celery runs and a port cannot say",
        """What the step is given, or which errbacks there are, is another thing in each round of a
loop or on each side of a condition. In a chain that a loop builds with conditions in it, the first
step is handed nothing and the others the result of the one before: write the first one before the
loop. Where a condition changes a chord's errbacks, write two chords.""",
    ),
    Code(
        "PORT900",
        Verdict.REFUSED,
        "the port would do something else",
        """The original builder was called with the sample and its canvas laid out by Celery's
rules. The translation makes other calls. Nothing is written. Please report the canvas.""",
    ),
    Code(
        "PORT901",
        Verdict.DECIDE,
        "not checked against the original",
        """There was no sample to call the builder with, or its module could not be imported.
Give `--sample '{"name": value}'` to have the translation compared with the original.""",
    ),
    Code(
        "PORT902",
        Verdict.DECIDE,
        "a branch that no sample took",
        """The condition was always the same with the samples given: one side is translated and
not checked. Give a sample for it. `first` is one of the port's own: whether a loop that begins a
chain has had no round yet; a sample without items takes its other side.""",
    ),
)

CODES: Final = {code.code: code for code in _ALL}


def explain(code: str) -> str:
    """The title, verdict and explanation of a code.

    Raises:
        UsageError: there is no such code; the message lists them.
    """
    found = CODES.get(code.upper())
    if found is None:
        raise UsageError(f"--explain {code}: no such code; there are {', '.join(CODES)}")
    return f"{found.code} ({found.verdict.value}): {found.title}\n\n{found.text}"
