"""The pictures of docs/benchmarks/, as SVG."""

import pathlib

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "resnetd", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
import matplotlib.pyplot as plt  # noqa: E402
import matplotlib.ticker  # noqa: E402


def save(figure, path: pathlib.Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    plt.close(figure)


def number_ticks(axis) -> None:
    """Powers of ten are written out: 1000, not 10 with a small 3."""
    axis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:.12f}".rstrip("0").rstrip(".")))
    axis.set_minor_formatter(matplotlib.ticker.NullFormatter())


def ratios(points: list[tuple[str, list[float]]], title: str, path: pathlib.Path) -> None:
    """One row a point: its ratio in each round, and a box of the quartiles. The line is where both are as fast."""
    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.32 * len(points)))
    names, rounds = zip(*reversed(points))
    axes.boxplot(rounds, orientation="horizontal", tick_labels=names, whis=(0, 100), widths=0.5, medianprops={"color": "C0"})
    for row, values in enumerate(rounds, start=1):
        axes.plot(values, [row] * len(values), "o", markersize=2.5, alpha=0.4, color="C0")
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_xlabel("images/s, ours / ONNX Runtime's, by round")
    axes.set_title(title)
    save(figure, path)


def latency_over_load(rows: list[dict], capacity: float, title: str, path: pathlib.Path) -> None:
    """Rows: offered images/s, p50 and p99 in seconds, mean batch, and the share of calls that were refused."""
    figure, (latency, batch, refused) = plt.subplots(3, 1, figsize=(7, 5.5), sharex=True, height_ratios=(3, 1, 1))
    offered = [row["offered"] for row in rows]
    for quantile in ("p50", "p99"):
        latency.plot(offered, [1e3 * row[quantile] for row in rows], "o-", markersize=3, label=quantile)
    latency.set_yscale("log")
    number_ticks(latency.yaxis)
    latency.set_ylabel("latency, ms")
    latency.set_title(title)
    batch.plot(offered, [row["batch"] for row in rows], "o-", markersize=3, color="C2")
    batch.set_ylim(bottom=0)
    batch.set_ylabel("mean batch")
    # Answers' latency alone looks well beyond the knee: those who got none are missing in it.
    refused.plot(offered, [100 * row["refused"] for row in rows], "o-", markersize=3, color="C3")
    refused.set_ylim(0, max([10] + [105 * row["refused"] for row in rows]))
    refused.set_ylabel("refused, %")
    refused.set_xlabel("offered images/s (Poisson); dotted: images/s in closed loop")
    for axes in (latency, batch, refused):
        axes.axvline(capacity, color="grey", linestyle=":")
    latency.legend(frameon=False)
    save(figure, path)


def overload(rows: list[dict], control: list[dict], title: str, path: pathlib.Path) -> None:
    """Rows: deadline in seconds, load and goodput in times the server's rate, and the share of calls that were refused;
    `control`: the same with admission off, which refuses none."""
    figure, (axes, refused) = plt.subplots(2, 1, figsize=(7, 4.5), sharex=True, height_ratios=(3, 1))
    for number, deadline in enumerate(sorted({row["deadline"] for row in rows})):
        for lines, style, name in ((rows, "o-", ""), (control, "x:", ", admission off")):
            points = [(row["load"], row["goodput"]) for row in lines if row["deadline"] == deadline]
            if points:
                axes.plot(*zip(*points), style, color=f"C{number}", markersize=4, label=f"{1e3 * deadline:g} ms{name}")
        points = [(row["load"], 100 * row["refused"]) for row in rows if row["deadline"] == deadline]
        refused.plot(*zip(*points), "o-", color=f"C{number}", markersize=4)
    axes.set_xscale("log")
    loads = sorted({row["load"] for row in rows})
    axes.set_xticks(loads, [f"{load:g}" for load in loads])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    refused.set_ylim(0, 100)
    refused.set_ylabel("refused, %")
    refused.set_xlabel("offered, times what the server does in closed loop")
    axes.set_ylabel("answered in time, likewise")
    axes.set_title(title)
    axes.legend(frameon=False)
    save(figure, path)
