"""``make faults``: provoke every fault, print what became of it, and keep the figures; 1 where one did not survive.

python -m tests.faults                     everything (an hour or more, most of it kills and parameter sets)
python -m tests.faults --sample            some seconds of each; nothing is kept
python -m tests.faults kills disks         these alone
python -m tests.faults --print             the figures that were kept last; 1 where one is not well
"""

import argparse
import sys

from tests.faults import disks, forgeries, forked, fuzz, kills, report, slurm, writers

#: Seeds of each of the study's five settings, nodes, tasks of the array.
SLURM = ((40, 1, 4), (40, 2, 4), (200, 2, 20))


def on_disks(sample):
    """Full ones and read-only ones."""
    return [disks.full(("tmpfs",), disks.SOME, most=1) if sample else disks.full(), disks.read_only()]


def campaigns(sample, kills_tried, sets):
    """By name, what provokes faults and returns figures."""
    return {
        "kills": lambda: [kills.computing(3 if sample else kills_tried)],
        "processes": lambda: [] if sample else [kills.processes(10)],
        "disks": lambda: on_disks(sample) if disks.possible() else [],
        "writers": lambda: [writers.at_once((2,) if sample else (2, 10, 2, 10))],
        "clock": lambda: [writers.set_back(1 if sample else 3)] if writers.clock_moves() else [],
        "fuzz": lambda: [fuzz.parameters(20 if sample else sets)],
        "slurm": lambda: [slurm.many(SLURM)] if slurm.possible() and not sample else [],
        "forgeries": lambda: [] if sample else [forgeries.tried()],
    }


def main():
    """Run the campaigns asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="kills, processes, disks, writers, clock, fuzz, slurm, forgeries")
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--print", action="store_true", dest="printed")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--sets", type=int, default=10_000)
    asked = parser.parse_args()
    if asked.printed:
        return printed()
    all_ = campaigns(asked.sample, asked.kills, asked.sets)
    if unknown := set(asked.names) - set(all_):
        parser.error(f"no {', '.join(unknown)} among {', '.join(all_)}")
    forked.prepare()
    found = []
    for name in asked.names or all_:
        for figures in all_[name]():
            print(figures.line(), flush=True)
            found.append(figures)
            if not asked.sample:
                report.write([figures])
    return 0 if found and all(figures.well for figures in found) else 1


def printed():
    """Print the figures that were kept."""
    figures = report.read()
    if figures is None or figures.empty:
        print("no faults were tried: make faults")
        return 1
    print(figures.to_string(index=False))
    well = (figures["lost"] == 0) & (figures["survived"] == figures["tried"]) & (figures["tried"] > 0)
    return 0 if well.all() else 1


if __name__ == "__main__":
    sys.exit(main())
