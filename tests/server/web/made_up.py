"""Tables of a made-up challenge: every name that analyses give, with numbers that look like a real one's."""

from collections.abc import Iterator, Sequence
from itertools import permutations

import numpy as np

from evaluator.analysis.tables import Column, Row, Table, table

DATASETS = ("abdom", "brain")
TEAMS = (
    "FPI", "Canon Medical Research Europe", "Nina Tuluptceva", "Sergio Naval Marimont, et al.", "NUDT", "Victor Saase",
    "A1 & friends_50%", "Anonymous 1", "Anonymous 2", "Great_Distance",
)  # fmt: skip
KINDS = {
    "global": {
        "corruptions": ("deformation", "bias field", "ghosting"),
        "medical conditions": ("atrophy", "enlarged ventricles"),
        "alterations": ("blur", "noise", "inversion"),
        "destructions": ("missing slices", "half scan", "shuffled slabs"),
    },
    "local": {
        "images": ("gorilla", "letter", "checkerboard"),
        "pathologies": ("tumour", "lesions", "bleeding"),
        "corruptions": ("local contrast", "shuffled voxels", "swirl", "patch of another scan"),
    },
}
METRICS = ("dataset_ap", "dataset_auroc", "dataset_max_dice", "dataset_fpr_at_95tpr", "aupro_30", "object_f1")


class Maker:
    """Makes the tables of so many teams; the same numbers for the same seed."""

    def __init__(self, teams: Sequence[str] = TEAMS, datasets: Sequence[str] = DATASETS, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.teams, self.datasets = teams, datasets
        self.skill = {team: 0.62 - 0.055 * place for place, team in enumerate(teams)}

    def tables(self) -> dict[str, Table]:
        """All of them, by name."""
        makers = (
            self.consensus, self.places, self.rank_probabilities, self.rank_agreement, self.schemes, self.tests,
            self.categories, self.difficulty, self.false_alarms, self.sizes, self.contrasts, self.proxies, self.levels,
            self.level_histograms, self.detections, self.deals, self.costs, self.boards,
        )  # fmt: skip
        return {made.name: made for made in (maker() for maker in makers)}

    def ap(self, team: str, shift: float = 0.0) -> float:
        return float(np.clip(self.skill.get(team, 0.3) + shift + self.rng.normal(0, 0.03), 0.01, 0.99))

    def around(self, value: float) -> dict[str, float]:
        return {"low": max(0.0, value - 0.04), "high": min(1.0, value + 0.04)}

    def consensus(self) -> Table:
        rows: list[Row] = [
            {
                "team": team,
                "mean_rank": place + 1.25,
                "rank": place + 1,
                "rank_low": max(1, place),
                "rank_high": place + 2,
            }
            for place, team in enumerate(self.teams)
        ]
        caption = "Teams by the mean of their ranks on the data sets; tied teams share the smallest rank."
        columns = (*texts("team"), *numbers("mean_rank", digits=2), *counts("rank", "rank_low", "rank_high"))
        return table("consensus", "Consensus ranking", caption, columns, rows)

    def places(self) -> Table:
        rows: list[Row] = []
        for dataset in self.datasets:
            for place, team in enumerate(self.teams):
                value = self.ap(team)
                rows.append(
                    {
                        "dataset": dataset, "team": team, "value": value,
                        "value_low": value - 0.03, "value_high": value + 0.03, "rank": place + 1,
                        "rank_low": max(1, place), "rank_high": min(len(self.teams), place + 2),
                        "n_cases": 542, "n_anomalous": 268,
                    }
                )  # fmt: skip
        columns = (
            *texts("dataset", "team"), *numbers("value", "value_low", "value_high"),
            *counts("rank", "rank_low", "rank_high", "n_cases", "n_anomalous"),
        )  # fmt: skip
        caption = (
            "The official score of each team on each data set, with 95 % intervals from 1,000 bootstrap resamples."
        )
        return table("places", "Scores and ranks by data set", caption, columns, rows)

    def rank_probabilities(self) -> Table:
        rows: list[Row] = []
        many = len(self.teams)
        for dataset in (*self.datasets, "consensus"):
            for place, team in enumerate(self.teams):
                weights = np.exp(-0.9 * np.abs(np.arange(many) - place))
                for rank, probability in enumerate(weights / weights.sum(), 1):
                    rows.append({"dataset": dataset, "team": team, "rank": rank, "probability": float(probability)})
        columns = (*texts("dataset", "team"), *counts("rank"), *numbers("probability"))
        return table("rank_probabilities", "Probability of each rank", "Share of resamples.", columns, rows)

    def rank_agreement(self) -> Table:
        rows: list[Row] = [
            {"dataset": dataset, "tau_b": 0.93, "tau_b_low": 0.78, "tau_b_high": 1.0}
            for dataset in (*self.datasets, "consensus")
        ]
        columns = (*texts("dataset"), *numbers("tau_b", "tau_b_low", "tau_b_high"))
        return table(
            "rank_agreement", "Agreement of resampled rankings", "Median τ-b and 95 % interval.", columns, rows
        )

    def schemes(self) -> Table:
        rows: list[Row] = [
            {
                "dataset": dataset, "team": team, "aggregate_then_rank": place, "rank_then_aggregate": place,
                "test_based": max(1, place - (place == 4)), "moves": "yes" if place == 4 else "no",
            }
            for dataset in (*self.datasets, "consensus") for place, team in enumerate(self.teams, 1)
        ]  # fmt: skip
        columns = (
            *texts("dataset", "team"), *counts("aggregate_then_rank", "rank_then_aggregate", "test_based"),
            *texts("moves"),
        )  # fmt: skip
        return table("schemes", "Ranking under each scheme", "Who would change place.", columns, rows)

    def tests(self) -> Table:
        rows: list[Row] = []
        for dataset in self.datasets:
            for one, other in permutations(self.teams, 2):
                difference = self.skill[one] - self.skill[other]
                p = float(1 / (1 + np.exp(60 * difference)))
                rows.append(
                    {
                        "dataset": dataset, "better": one, "worse": other, "difference": difference, "p": p,
                        "p_holm": min(1.0, 12 * p), "significant": "yes" if 12 * p < 0.05 else "no",
                        "unit": "batch", "n": 28,
                    }
                )  # fmt: skip
        columns = (
            *texts("dataset", "better", "worse"), *numbers("difference", "p", "p_holm"), *texts("significant", "unit"),
            *counts("n"),
        )  # fmt: skip
        return table("tests", "Pairwise tests", "One-sided sign-flip tests over batches.", columns, rows)

    def categories(self) -> Table:
        rows: list[Row] = []
        everybody = (*self.teams, "median of submissions", "constant", "random")
        for dataset in self.datasets:
            for level, group, scope in groups():
                shift = float(self.rng.normal(0.1 if scope == "global" else -0.1, 0.1))
                for team in everybody:
                    value = 0.5 if team in {"constant", "random"} else self.ap(team, shift)
                    rows.append(
                        {
                            "dataset": dataset, "level": level, "group": group, "scope": scope, "team": team,
                            "ap": value, "ap_low": value - 0.05, "ap_high": value + 0.05,
                            "n_anomalous": 20, "n_normal": 40,
                        }
                    )  # fmt: skip
        columns = (
            *texts("dataset", "level", "group", "scope", "team"), *numbers("ap", "ap_low", "ap_high"),
            *counts("n_anomalous", "n_normal"),
        )  # fmt: skip
        caption = "AP on the analysis set: the same normal cases for every group, as many anomalous cases in each."
        return table("categories", "AP by category", caption, columns, rows, "Half scan: 3 cases, too few to say much.")

    def difficulty(self) -> Table:
        rows: list[Row] = [
            {
                "dataset": dataset, "category": category, "difficulty": level, "team": team,
                "ap": (value := self.ap(team, 0.08 * level - 0.2)), "ap_low": value - 0.05, "ap_high": value + 0.05,
                "n_anomalous": 12, "n_normal": 40,
            }
            for dataset in self.datasets for category in ("images", "pathologies") for level in range(1, 6)
            for team in (*self.teams, "median of submissions")
        ]  # fmt: skip
        columns = (
            *texts("dataset", "category"), *counts("difficulty"), *texts("team"), *numbers("ap", "ap_low", "ap_high"),
            *counts("n_anomalous", "n_normal"),
        )  # fmt: skip
        return table("difficulty", "AP by difficulty", "As people judged it: 1 hardest, 5 plain.", columns, rows)

    def false_alarms(self) -> Table:
        rows: list[Row] = [
            {
                "dataset": dataset, "category": category, "subcategory": kind, "median": 0.8 - 0.01 * place,
                "best_submission": 0.5 - 0.01 * place, "best_of_all": 0.3 - 0.01 * place,
                "best_team": self.teams[place % len(self.teams)], "n_anomalous": 20, "n_normal": 40,
            }
            for dataset in self.datasets
            for place, (category, kind) in enumerate(kinds())
        ]  # fmt: skip
        columns = (
            *texts("dataset", "category", "subcategory"), *numbers("median", "best_submission", "best_of_all"),
            *texts("best_team"), *counts("n_anomalous", "n_normal"),
        )  # fmt: skip
        return table("false_alarms", "False alarms at 95 % found", "FPR at 95 % TPR.", columns, rows)

    def sizes(self) -> Table:
        rows: list[Row] = [
            {"dataset": dataset, "team": team, "radius_voxels": radius, "ap": self.skill[team] * radius / (radius + 12)}
            for dataset in self.datasets for team in self.teams for radius in range(4, 84, 8)
        ]  # fmt: skip
        columns = (*texts("dataset", "team"), *counts("radius_voxels"), *numbers("ap"))
        return table("sizes", "AP against size", "One sphere at one place, of growing radius.", columns, rows)

    def contrasts(self) -> Table:
        rows: list[Row] = [
            {
                "dataset": dataset, "team": team, "intensity": round(0.05 * step, 2),
                "ap": float(min(1, self.skill[team] * (0.1 + 4 * (0.05 * step - 0.45) ** 2))),
            }
            for dataset in self.datasets for team in self.teams for step in range(21)
        ]  # fmt: skip
        columns = (*texts("dataset", "team"), *numbers("intensity", digits=2), *numbers("ap"))
        return table(
            "contrasts", "AP against intensity", "One sphere at one place, of varied intensity.", columns, rows
        )

    def proxies(self) -> Table:
        rows: list[Row] = [
            {"dataset": dataset, "proxy": proxy, "tau_b": tau, "n_teams": len(self.teams)}
            for dataset in self.datasets for proxy, tau in (("toy", None), ("toyish", 0.642))
        ]  # fmt: skip
        columns = (*texts("dataset", "proxy"), *numbers("tau_b"), *counts("n_teams"))
        return table("proxies", "Toy cases as a proxy", "Kendall's τ-b to the official ranking.", columns, rows)

    def levels(self) -> Table:
        rows: list[Row] = [
            {
                "dataset": dataset, "team": team, "metric": metric, "dataset_level": (value := self.ap(team)),
                "scan_mean": value - 0.06, "scan_median": value - 0.04, "n_scans": 268, "left_out": 274,
            }
            for dataset in self.datasets for team in self.teams for metric in ("ap", "auroc", "max_dice")
        ]  # fmt: skip
        columns = (
            *texts("dataset", "team", "metric"), *numbers("dataset_level", "scan_mean", "scan_median"),
            *counts("n_scans", "left_out"),
        )  # fmt: skip
        return table("levels", "Data-set and scan level", "Scans that hold both classes.", columns, rows)

    def level_histograms(self) -> Table:
        rows: list[Row] = [
            {
                "dataset": dataset, "team": team, "metric": "ap", "low": low / 10, "high": (low + 1) / 10,
                "scans": int(self.rng.integers(0, 40)),
            }
            for dataset in self.datasets for team in self.teams for low in range(10)
        ]  # fmt: skip
        columns = (*texts("dataset", "team", "metric"), *numbers("low", "high", digits=1), *counts("scans"))
        return table("level_histograms", "Scan-level histograms", "Scans by AP.", columns, rows)

    def detections(self) -> Table:
        rows: list[Row] = [
            {
                "dataset": dataset, "team": team, "threshold": 0.4, "objects": 300, "detections": 420,
                "true_positives": 120, "precision": 120 / 420, "recall": 0.4, "f1": 1 / 3, "unmatched": 300,
                "judged": 12,
            }
            for dataset in self.datasets for team in self.teams
        ]  # fmt: skip
        columns = (
            *texts("dataset", "team"), *numbers("threshold"), *counts("objects", "detections", "true_positives"),
            *numbers("precision", "recall", "f1"), *counts("unmatched", "judged"),
        )  # fmt: skip
        return table("detections", "Detected objects", "At the threshold of each team's toy cases.", columns, rows)

    def deals(self) -> Table:
        rows: list[Row] = [
            {
                "dataset": dataset, "team": team, "official": (value := self.ap(team)), "validation": value + 0.004,
                "difference": 0.004, "sd_of_batches": 0.09, "batches": 28,
            }
            for dataset in self.datasets for team in self.teams
        ]  # fmt: skip
        columns = (
            *texts("dataset", "team"), *numbers("official", "validation", "difference", "sd_of_batches"),
            *counts("batches"),
        )  # fmt: skip
        return table("deals", "The second deal", "The score by another deal of the same cases.", columns, rows)

    def costs(self) -> Table:
        rows: list[Row] = [
            {
                "dataset": dataset, "team": team, "seconds_a_case": float(self.rng.uniform(1, 400)),
                "peak_memory_gb": float(self.rng.uniform(0.5, 14)), "ap": self.ap(team),
            }
            for dataset in self.datasets for team in self.teams
        ]  # fmt: skip
        columns = (
            *texts("dataset", "team"),
            Column(name="seconds_a_case", title="Time a case", kind="number", unit="s", digits=1),
            Column(name="peak_memory_gb", title="Peak memory", kind="number", unit="GB", digits=1),
            *numbers("ap"),
        )
        return table("costs", "Run time and memory", "Of the container start on the hidden cases.", columns, rows)

    def boards(self) -> Table:
        rows: list[Row] = [
            {
                "metric": metric, "team": team, "mean": self.ap(team), "sd": 0.08, "rank": place,
                "n_datasets": len(self.datasets),
            }
            for metric in METRICS for place, team in enumerate(self.teams, 1)
        ]  # fmt: skip
        columns = (*texts("metric", "team"), *numbers("mean", "sd"), *counts("rank", "n_datasets"))
        return table("boards", "Other metrics", "Mean and SD over the data sets.", columns, rows)


def groups() -> Iterator[tuple[str, str, str]]:
    """Give level, group and scope of every group."""
    for scope, of in KINDS.items():
        yield "scope", scope, scope
        for category, kinds in of.items():
            yield "category", f"{category} ({scope})", scope
            yield from (("subcategory", kind, scope) for kind in kinds)


def kinds() -> Iterator[tuple[str, str]]:
    """Give category and subcategory of every subcategory."""
    for of in KINDS.values():
        for category, names in of.items():
            yield from ((category, name) for name in names)


def texts(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name=name, title=title(name)) for name in names)


def counts(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name=name, title=title(name), kind="count") for name in names)


def numbers(*names: str, digits: int = 3) -> tuple[Column, ...]:
    return tuple(Column(name=name, title=title(name), kind="number", digits=digits) for name in names)


def title(name: str) -> str:
    return name.replace("_", " ").capitalize().replace("Ap", "AP").replace("Tau b", "τ-b")
