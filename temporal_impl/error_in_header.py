"""One failing member: its siblings run, the body does not, the error callback is called once.

In Canvas: `chord(header, body.on_error(record_error))`. Here: try and except around the fan-out.
`fan_out` lets all members end before it raises, as a header does; then the callback is an
activity like any other, and the error goes on to the caller.

Canvas tells the callback and the caller about a ChordError that quotes the member's error; here
both get the member's own error, with its type and text.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from temporal_impl.activities import Activities
    from temporal_impl.failures import original, type_and_text
    from temporal_impl.inputs import Failure, Parts, Run, Station
    from temporal_impl.options import SHORT

from temporal_impl.fan_out import fan_out


@workflow.defn(name="error_in_header")
class ErrorInHeader:
    """assign_all, object_to(first), then chord(header, sum_pages).on_error(record_error)"""

    @workflow.run
    async def run(self, run: Run) -> int:
        """Returns the sum of the pages if there is no station to object to."""
        stations = await workflow.execute_activity_method(Activities.assign_all, run, **SHORT)
        members = [Station(run.run_id, station) for station in stations]
        if members:
            await workflow.execute_activity_method(Activities.object_to, members[0], **SHORT)
        try:
            pages = await fan_out(Activities.generate_roll, members)
        except FailureError as error:
            _, text = type_and_text(original(error)[0])
            await workflow.execute_activity_method(
                Activities.record_error, Failure(run.run_id, text), **SHORT
            )
            raise
        return await workflow.execute_activity_method(
            Activities.sum_pages, Parts(run.run_id, pages), **SHORT
        )
