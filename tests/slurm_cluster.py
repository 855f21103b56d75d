"""A Slurm cluster of two nodes on this one machine, for trying what is meant for a real one.

    python -m tests.slurm_cluster FOLDER [COMMAND...]

starts munged, slurmctld and two slurmd with all that they write below FOLDER, runs COMMAND (a shell without one) with
the cluster's sbatch, squeue and scancel, and ends them. It needs Debian's slurm-wlm and munge, or another
distribution's, and no accounting: squeue says what became of a job for as long as `MinJobAge` lasts. Nothing of the
system's own Slurm is read, and root is not needed.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
_SEARCHED = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
_CONFIGURATION = """
ClusterName=shards
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,batch_sched_delay=0,sched_min_interval=0,bf_interval=2
SlurmdParameters=config_overrides
SlurmdTimeout=10
SlurmctldTimeout=10
InactiveLimit=0
KillWait=2
MinJobAge=3600
MaxArraySize=10001
MaxJobCount=20000
ReturnToService=2
JobRequeue=1
{nodes}
PartitionName=all Nodes={names} Default=YES MaxTime=INFINITE State=UP
"""


def absent() -> list[str]:
    """The programs that a cluster needs and this machine has not."""
    return [name for name in PROGRAMS if shutil.which(name, path=_SEARCHED) is None]


class Cluster:
    """The daemons of a cluster whose files lie in ``folder``; ``environment`` is what its commands need."""

    def __init__(self, folder: Path, nodes: int = 2) -> None:
        """Write its files; nothing is started."""
        self.folder, self.nodes = folder.resolve(), [f"n{number}" for number in range(1, nodes + 1)]
        (self.folder / "state").mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        ports = _free_ports(nodes + 1)
        lines = [
            f"NodeName={name} NodeHostname={socket.gethostname()} NodeAddr=127.0.0.1 Port={port} CPUs=1 RealMemory=4096"
            for name, port in zip(self.nodes, ports[1:], strict=True)
        ]
        said = _CONFIGURATION.format(
            host=socket.gethostname(),
            ports=ports,
            user=getpass.getuser(),
            folder=self.folder,
            nodes="\n".join(lines),
            names=",".join(self.nodes),
        )
        (self.folder / "slurm.conf").write_text(said)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        path = os.pathsep.join((str(self._named_commands()), _SEARCHED))
        self.environment = {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": path}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def _named_commands(self) -> Path:
        """A folder of Slurm's commands that find this cluster even where their environment was emptied of its name."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        for name in ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo"):
            if program := shutil.which(name, path=_SEARCHED):
                (folder / name).write_text(f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {program} "$@"\n')
                (folder / name).chmod(0o755)
        return folder

    def start(self, name: str) -> None:
        """Start 'munged', 'slurmctld' or a node by its name."""
        below = self.folder
        words = {
            "munged": (
                *(
                    "munged",
                    "--foreground",
                    "--force",
                    f"--key-file={below}/munge.key",
                    f"--socket={below}/munge.socket",
                ),
                *(
                    f"--pid-file={below}/munged.pid",
                    f"--log-file={below}/munged.log",
                    f"--seed-file={below}/munged.seed",
                ),
            ),
            "slurmctld": ("slurmctld", "-D"),
        }.get(name, ("slurmd", "-D", "-N", name))
        with (below / f"{name}.said").open("ab") as said:
            self._running[name] = subprocess.Popen(
                words, env=self.environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a daemon a signal, and wait for its end."""
        process = self._running.pop(name)
        process.send_signal(number)
        process.wait(30)

    def run(self, *words: str, **settings: object) -> str:
        """What a command of the cluster prints; raises where it fails."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False, **settings)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}: {done.stderr or done.stdout}")
        return done.stdout

    def wait(self, seconds: float = 60) -> None:
        """Until every node is idle; raises `TimeoutError` with what the daemons said."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(RuntimeError):
                if self.run("sinfo", "-h", "-N", "-o", "%T").split() == ["idle"] * len(self.nodes):
                    return
            time.sleep(0.2)
        said = [path.read_text(errors="replace")[-1500:] for path in sorted(self.folder.glob("*.said"))]
        raise TimeoutError("the cluster does not come up:\n" + "\n".join(said))

    def end(self) -> None:
        """End all daemons, and what they have started."""
        for name in [*self.nodes, "slurmctld", "munged"]:
            if name in self._running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.kill(name, signal.SIGTERM)
        for process in self._running.values():
            process.kill()


@contextlib.contextmanager
def cluster(folder: Path, nodes: int = 2) -> Iterator[Cluster]:
    """A running cluster, ended with the block."""
    one = Cluster(folder, nodes)
    try:
        one.start("munged")
        while not (one.folder / "munge.socket").exists():
            time.sleep(0.05)
        one.start("slurmctld")
        for name in one.nodes:
            one.start(name)
        one.wait()
        yield one
    finally:
        with contextlib.suppress(RuntimeError):
            one.run("scancel", "--user", getpass.getuser())
        one.end()


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as held:
        taken = [held.enter_context(socket.socket()) for _ in range(number)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]


def main() -> int:
    """Run a command, or a shell, in a cluster."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if lacking := absent():
        sys.exit(f"not installed: {', '.join(lacking)} (Debian: apt-get install slurm-wlm munge)")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with cluster(Path(sys.argv[1])) as one:
        return subprocess.run(
            sys.argv[2:] or [os.environ.get("SHELL", "sh")], env=one.environment, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
