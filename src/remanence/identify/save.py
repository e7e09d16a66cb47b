"""Writing a fit: the run folder of the design, complete or not at all."""

import dataclasses
import os
from pathlib import Path
from typing import Any

from remanence.files import environment, run_folder, write_json, write_table, write_toml
from remanence.identify.measure import FitResult
from remanence.identify.model import fitted_model
from remanence.identify.page import fit_page
from remanence.identify.story import headline
from remanence.identify.tables import fit_tables
from remanence.report import render, save_figures


def save_fit(
    result: FitResult,
    path: str | os.PathLike,
    *,
    source: dict[str, Any],
    wall_time: float | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the run folder of `result` and return its path.

    `source` goes into `config.toml` beside the settings: what would repeat the reading of the
    data. The folder holds `config.toml`, `result.json`, `environment.json`, `model.safetensors`,
    `report.html`, `tables/*.parquet` and `figures/*.svg|png`. Raises `RemanenceError` if `path`
    exists (unless `overwrite`) or cannot be written.
    """
    with run_folder(path, overwrite=overwrite) as folder:
        page = fit_page(result)
        (folder / "report.html").write_text(render(page), encoding="utf-8")
        save_figures([f for section in page.sections for f in section.figures], folder / "figures")
        (folder / "tables").mkdir()
        for name, columns in fit_tables(result).items():
            write_table(folder / "tables" / f"{name}.parquet", columns)
        fitted_model(result).save(folder / "model.safetensors")
        write_toml(folder / "config.toml", {"data": source, "fit": _settings(result)})
        write_json(
            folder / "environment.json",
            environment(seed=result.settings.seed, wall_time=wall_time),
        )
        write_json(folder / "result.json", summary(result))
    return Path(path)


def summary(result: FitResult) -> dict[str, Any]:
    """The numbers of a fit; R² everywhere, not shares."""
    run, found = result.run, result.extrapolation
    return {
        "headline": list(headline(result)),
        "stable": result.stable,
        "training_length": run.length,
        "optimizer": run.optimizer,
        "order": result.system.order,
        "spectral_radius": result.spectral_radius,
        "step": result.data.step,
        "step_unit": result.data.step_unit,
        "memory": {
            "horizon_steps": result.memory.horizon,
            "half_energy_steps": result.memory.half_lag,
            "time_constants_steps": result.memory.time_constants,
            "input_horizons_steps": dict(
                zip(result.data.input_names, result.memory.input_horizons, strict=True)
            ),
        },
        "r2": {
            "windows": {part: 1 - share for part, share in result.windows.items()},
            "whole_record": {part: 1 - share for part, share in result.carried.items()},
            "by_multiple_of_training_length": {
                str(m): 1 - s for m, s in zip(found.multiples, found.multiple_shares, strict=True)
            },
        },
        "extrapolates_to_steps": found.extends_to,
        "positions_measured_to": found.reach,
        "certificate": {
            "certified": result.certificate.certified,
            "theorem": result.certificate.theorem,
            "summary": result.certificate.summary(),
            "assumptions": [dataclasses.asdict(a) for a in result.certificate.assumptions],
        },
        "hankel_singular_values": result.hankel,
        "orders_r2_validation": {n: 1 - s for n, s in result.order_shares.items()},
        "imbalance": run.imbalance[:, -1],
        "seed_agreement": result.agreement,
        "curvature_share": result.curvature,
        "lengths": [
            {
                "length": r.length,
                "optimizer": r.optimizer,
                "spectral_radius": r.spectral_radius,
                "r2_validation_windows": 1 - r.validation_window,
                "r2_validation_whole_record": 1 - r.validation_carried,
                "r2_best": 1 - r.best_share,
            }
            for r in result.runs
        ],
    }


def _settings(result: FitResult) -> dict[str, Any]:
    settings = dataclasses.asdict(result.settings)
    # Lengths as they were trained, so that the file repeats the run even if the grid changes.
    settings["length"] = sorted({run.length for run in result.runs})
    return {name: value for name, value in settings.items() if value is not None}
