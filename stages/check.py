"""Stage check: refuse a wrong params.yaml before anything runs."""

from asd.core.artifacts import write_json
from asd.core.section import read_params
from asd.core.stage import run
from asd.params import check


def main() -> str:
    """Check params.yaml; what is written never changes, so that a right value re-runs nothing."""
    params = check(read_params())
    write_json("data/checked", "params.yaml is right")
    return f"{len(params.systems)} systems in params.yaml are right"


if __name__ == "__main__":
    run("check", main)
