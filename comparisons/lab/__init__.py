"""The fault lab: the same run on each profile, with one fault in each, judged by the ledger.

plan       what is asked for: faults, profiles, repetitions
profiles   an engine, its servers, its settings
lane       a profile's servers, workers, sweeper and caller, kept from cell to cell
probes     where steps tell what point they have reached, and are held there
caller     the process that starts runs, apart because a fault may kill it
fault      what a fault is; the faults themselves are in `comparisons.faults`, one file each
cell       one fault in one profile, once: from the start of a run to the verdict
verdict    what the ledger, the database and the disk say about a run
run        all cells; each profile in a thread of its own
export     faults.json, in the form that faults_schema.json documents
"""
