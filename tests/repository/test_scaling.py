"""The simulation of larger loads, benchmarks/scaling.py, with the measured costs of the repository."""

import json
from itertools import pairwise

from benchmarks.scaling import COSTS, FACTORS, PAGE, Load, Machines, markdown, simulate, times


def test_simulated_needs_grow_with_the_load_and_name_what_gives_way_first() -> None:
    costs = json.loads(COSTS.read_text())
    needs = [simulate(times(Load(), factor), Machines(), costs) for factor in FACTORS]
    for few, many in pairwise(needs):
        assert all(many.shares[name] >= few.shares[name] for name in few.shares)
        assert many.server_processes >= few.server_processes
        assert many.rows_per_year > few.rows_per_year
    assert needs[0].first == "nothing"
    assert needs[-1].first != "nothing"


def test_tables_of_the_page_are_those_that_the_measured_costs_give() -> None:
    costs = json.loads(COSTS.read_text())
    text = PAGE.read_text()
    for table in markdown(Load(), Machines(), costs):
        assert f"\n{table}\n" in text, "run: PYTHONPATH=. .venv/bin/python benchmarks/scaling.py --write"
