"""Messages sent to RabbitMQ without waiting for its confirmation.

Bad:
    from celery import Celery

    app = Celery("shop", broker="amqp://localhost")
Good:
    from celery import Celery

    app = Celery("shop", broker="amqp://localhost")
    app.conf.broker_transport_options = {"confirm_publish": True, "confirm_timeout": 5}
Why: Without confirm_publish `.delay()` returns as soon as the bytes are in the socket. A broker
    that restarts, refuses or drops the message at that moment loses it, and the sender never
    hears of it.
Prefect: A run is created by a call of the API that is answered.
Temporal: A workflow is started by a call of the server that is answered once it is stored.
Source: https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/rabbitmq.html#using-quorum-queues
"""

from collections.abc import Iterator

from offcanvas.audit.finding import Remark, Severity
from offcanvas.audit.project import Project
from offcanvas.audit.rules import project_rule
from offcanvas.audit.rules._broker import broker_of, transport_option


@project_rule("CEL102", Severity.HIGH)
def check(project: Project) -> Iterator[Remark]:
    """One finding, at the first AMQP address; silent when no address can be read."""
    amqp = broker_of(project, {"amqp"})
    if amqp is None:
        return
    confirms = transport_option(project, "confirm_publish")
    if confirms.value is True:
        return
    doubt = amqp.doubt or confirms.doubt
    if not confirms.known:
        doubt = "broker_transport_options holds something that cannot be read"
    yield Remark(
        amqp.setting.path,
        amqp.setting.line,
        1,
        "messages are published without the broker's confirmation and can be lost unseen; set "
        'broker_transport_options = {"confirm_publish": True, "confirm_timeout": 5}',
        doubt=doubt,
    )
