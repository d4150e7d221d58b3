"""The faults of the lab, one file each; `python -m comparisons faults` finds them here.

How to add one: a file `fNN_what_happens.py` with a subclass of `comparisons.lab.fault.Fault`.

    class ChildKilled(Fault):
        \"\"\"What happens, in the words of the report.\"\"\"

        id, title = "F01", "Step process killed"
        source = "where the behaviour is documented, or which issue reports it"
        expects = {NAIVE: loses("why"), HARDENED: repeats("why"), ...}   # every profile ...
        meaningless = {PREFECT: "why it says nothing about this one"}     # ... is in one of the two

        def inject(self, cell):
            held = cell.catch()                    # a step has come to the cell's phase and waits
            cell.strike("its process is killed")   # the moment of the fault
            os.kill(held.event.pid, signal.SIGKILL)

        def heal(self, cell):
            ...
            cell.healed("a new worker is started")

What a fault has at hand:

- `phases`: `started`, `in_transaction`, `committed`, `finished` by default (see `shared.probe`);
  other words may be given and read from `cell.phase`. Repetition n runs phase n, round and round.
- `prepare(cell)` runs before the run is started. It sets one trap at the cell's phase; override it
  for others: `cell.trap(STARTED, item=..., step=SUM, times=None)`. `Trap.then` is called in the
  probe's thread for each step caught, for faults that strike again and again.
- `cell.catch(trap)`: waits until a step is caught. `held.release()` lets it go on.
  At `finished` a step is told of but does not wait.
- `cell.lane.worker` is a `workers.Worker`: kill, freeze, wake, terminate; `cell.lane.add_worker()`
  starts another, `cell.lane.wait_for_worker()` waits until one takes work.
- `cell.lane.servers[role]`, with a role from `lab.profiles` (BROKER, RESULTS, ENGINE, DATABASE), is
  an `offcanvas.servers.Server`: kill, end, freeze, thaw, start. `cell.lane.profile.main_server` is
  the role of the one that hands out the work. What is down after a cell is started by the lane.
- `cell.lane.caller` starts the runs; `caller.ask("call", function="package.module:name",
  arguments=[...])` has it call any function, `caller.kill()` kills it (the next use of
  `lane.caller` starts a new one). `start(cell)` may be overridden: `caller.send("start", ...)`
  does not wait for the answer, `caller.receive(...)` does.
- `cell.mark("...")` for the timeline; `cell.lane.wait_until(...)`, `cell.lane.pause(...)`.
- `missed(cell, found)`: what of the goal was missed; override it where the goal is another one.
- `spoils_worker = True` if the worker may be left in a bad way.

Steps that are killed or frozen are found at a point of their own telling; nothing sleeps for a
guessed time. Everything runs in the lane's thread: start processes from there only.
"""
