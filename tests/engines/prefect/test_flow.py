"""What a flow run asks the server for."""

import uuid

from prefect.client.orchestration import PrefectClient

from offcanvas.engines.prefect.flow import _Inbox
from offcanvas.servers.base import free_port


class Driver:
    """Nothing is at work."""


async def test_a_server_that_does_not_answer_is_asked_again_later():
    async with PrefectClient(f"http://127.0.0.1:{free_port()}/api") as client:
        inbox = _Inbox(client, uuid.uuid4())
        inbox.driver = Driver()
        await inbox.look()
        assert not inbox.cancelled
