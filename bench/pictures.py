"""The pictures of docs/benchmarks/, as SVG."""

import pathlib

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "resnetd", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
import matplotlib.pyplot as plt  # noqa: E402


def save(figure, path: pathlib.Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    plt.close(figure)


def ratios(points: list[tuple[str, list[float]]], line: float, path: pathlib.Path) -> None:
    """One row a point: its ratio in each round, and a box of the quartiles. `line` is the bar."""
    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.32 * len(points)))
    names, rounds = zip(*reversed(points))
    axes.boxplot(rounds, orientation="horizontal", tick_labels=names, whis=(0, 100), widths=0.5, medianprops={"color": "C0"})
    for row, values in enumerate(rounds, start=1):
        axes.plot(values, [row] * len(values), "o", markersize=2.5, alpha=0.4, color="C0")
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.axvline(line, color="grey", linewidth=0.8, linestyle="--")
    axes.set_xlabel(f"images/s, ours / ONNX Runtime's, by round; dashed: at least {line:g} is wanted")
    save(figure, path)


def latency_over_load(rows: list[dict], capacity: float, title: str, path: pathlib.Path) -> None:
    """Rows: offered images/s, p50 and p99 in seconds, mean batch."""
    figure, (latency, batch) = plt.subplots(2, 1, figsize=(7, 4.5), sharex=True, height_ratios=(3, 1))
    offered = [row["offered"] for row in rows]
    for quantile in ("p50", "p99"):
        latency.plot(offered, [1e3 * row[quantile] for row in rows], "o-", markersize=3, label=quantile)
    latency.set_yscale("log")
    latency.set_ylabel("latency, ms")
    latency.set_title(title)
    batch.plot(offered, [row["batch"] for row in rows], "o-", markersize=3, color="C2")
    batch.set_ylim(bottom=0)
    batch.set_ylabel("mean batch")
    batch.set_xlabel("offered images/s (Poisson); dotted: images/s in closed loop")
    for axes in (latency, batch):
        axes.axvline(capacity, color="grey", linestyle=":")
    latency.legend(frameon=False)
    save(figure, path)


def overload(rows: list[dict], control: list[dict], title: str, path: pathlib.Path) -> None:
    """Rows: deadline in seconds, load and goodput in times the server's rate; `control`: the same with admission off."""
    figure, axes = plt.subplots(figsize=(7, 3.5))
    for number, deadline in enumerate(sorted({row["deadline"] for row in rows})):
        for lines, style, name in ((rows, "o-", ""), (control, "x:", ", admission off")):
            points = [(row["load"], row["goodput"]) for row in lines if row["deadline"] == deadline]
            if points:
                axes.plot(*zip(*points), style, color=f"C{number}", markersize=4, label=f"{1e3 * deadline:g} ms{name}")
    axes.set_xscale("log")
    loads = sorted({row["load"] for row in rows})
    axes.set_xticks(loads, [f"{load:g}" for load in loads])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel("offered, times what the server does in closed loop")
    axes.set_ylabel("answered in time, likewise")
    axes.set_title(title)
    axes.legend(frameon=False)
    save(figure, path)
