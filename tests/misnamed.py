"""An app whose names were chosen to command whatever prints them."""

from celery import Celery, chain, group
from celery.schedules import crontab

#: Colours, a command to GitHub's runner on a line of its own, text that runs backwards, markup of
#: rich, a return to the head of the line, and markup of HTML.
NAME = "a\x1b[31mred\n::error::x\u202ea[bold]b[/bold]\r<script>c\x9b"

app = Celery("misnamed", broker="memory://", backend="cache+memory://", set_as_current=False)
app.conf.beat_schedule = {NAME: {"task": NAME, "schedule": crontab(hour=2)}}


@app.task(name=NAME)
def told(value):
    return value


#: The same without a colon, which would make it the place of a function.
ROOT = NAME.replace(":", "")


@app.task(name=ROOT)
def root(value):
    return value


#: An error whose class has such a name too.
Odd = type(NAME.replace("\x9b", ""), (ValueError,), {})


@app.task
def fails(value):
    raise Odd(NAME)


def canvas():
    return chain(told.s(NAME), told.s(), told.s())


def wide(x=3):
    return group(told.s(number) for number in range(x))


def failing():
    return chain(told.s(NAME), fails.s())
