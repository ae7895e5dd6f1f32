"""How long, in what memory and with which bytes the factory is simulated. See docs/simulated_factory.md.

    python -m studies.factory_speed [--seeds 1000] [--machines all] [--sizes default full]

The stage ``download`` in a process of its own, with two workers; ``default`` also with one, whose bytes must be equal.
Times say something on a quiet machine alone.
"""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

from studies.factory import PARAMS, parser, project, verdict

SECONDS = 40.0  # for default
GIBIBYTES = 1.5
PEAK = "int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"  # ru_maxrss is at least the parent's
if not Path("/proc/self/status").exists():
    PEAK = "__import__('resource').getrusage(0).ru_maxrss"
COMMAND = f"import stages.download as d; d.main(); print({PEAK})"
KIBIBYTE = 1 if sys.platform == "darwin" else 1024  # unit of the peak [bytes]


def downloaded(seed: int, machines: str, size: str, jobs: int) -> tuple[float, float, str]:
    """Simulate once; give seconds, peak memory [GiB] and a digest of all bytes."""
    with project(seed, machines, size=size) as folder:
        params = (folder / "params.yaml").read_text(encoding="utf-8")
        (folder / "params.yaml").write_text(params.replace("jobs: 2", f"jobs: {jobs}"), encoding="utf-8")
        start = time.monotonic()
        said = subprocess.run(
            [sys.executable, "-c", COMMAND],
            env=os.environ | {"PYTHONPATH": str(PARAMS.parent)},
            capture_output=True,
            check=True,
            text=True,
        )
        seconds = time.monotonic() - start
        return seconds, int(said.stdout.split()[-1]) * KIBIBYTE / 2**30, digest(folder / "data")


def digest(folder: Path) -> str:
    """Hash names and bytes of all files below a folder."""
    found = hashlib.sha256()
    for file in sorted(f for f in folder.rglob("*") if f.is_file()):
        found.update(file.relative_to(folder).as_posix().encode() + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()[:16]


def main() -> None:
    """Print one line a run and the verdict."""
    made = parser(__doc__, seeds=[1000])
    made.add_argument("--sizes", nargs="+", default=["default", "full"])
    args = made.parse_args()
    windows = {}
    for size in args.sizes:
        runs = {
            jobs: downloaded(args.seeds[0], args.machines, size, jobs)
            for jobs in ((2, 1) if size == "default" else (2,))
        }
        for jobs, (seconds, memory, bytes_) in runs.items():
            print(f"{size}, {jobs} workers: {seconds:.1f} s, {memory:.2f} GiB, bytes {bytes_}", flush=True)
        windows[f"{size}: peak memory [GiB]"] = (runs[2][1], 0.0, GIBIBYTES)
        if size == "default":
            windows["default: seconds"] = (runs[2][0], 0.0, SECONDS)
            windows["default: same bytes with one worker"] = (float(runs[1][2] == runs[2][2]), 1.0, 1.0)
    verdict(windows)


if __name__ == "__main__":
    main()
