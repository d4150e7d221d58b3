import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest

from offcanvas.canvas.lift import lift
from offcanvas.canvas.nodes import Task, children, walk, with_options
from tests.canvas.shop import flow


def test_nodes_do_not_change():
    with pytest.raises(FrozenInstanceError):
        Task(name="a").name = "b"


def test_repr_shows_what_is_given():
    assert repr(Task(name="a", args=(1,))) == "Task(name='a', args=(1,))"


def test_walk_names_every_place():
    paths = [place.path for place in walk(lift(flow(1)))]
    assert "chain[1].header[0][1]" in paths
    assert "chain[1].body[0].link_error[0]" in paths
    assert "chain[1].body[2][2][1].body" in paths
    assert len(paths) == len(set(paths))


def test_children_of_a_chord_are_header_and_body():
    chord = lift(flow()).steps[1]
    assert children(chord) == (chord.header, chord.body)


def test_with_options_leaves_the_rest_alone():
    node = with_options(Task(name="a", args=(1,)), queue="slow")
    assert (node.args, node.options.queue) == ((1,), "slow")


def test_the_nodes_need_neither_celery_nor_an_engine():
    code = (
        "import sys, offcanvas.canvas.nodes, offcanvas.canvas.lift, offcanvas.canvas.wire\n"
        "assert not {'celery', 'kombu', 'temporalio', 'prefect'} & sys.modules.keys()"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
