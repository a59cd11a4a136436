#!/usr/bin/env python3
"""Prints quantiles of a Prometheus histogram, read straight from a server's metrics page.

    tools/histogram_quantiles.py http://127.0.0.1:8501/metrics resnetd_stage_duration_seconds stage

One row for each value of the label, with the quantiles that Prometheus' histogram_quantile() gives: linear within the
bucket that holds the rank. Exit status 1 if the page has no observation of that histogram.
"""

import argparse
import math
import re
import sys
import urllib.request

SAMPLE = re.compile(r"^(?P<name>[A-Za-z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def read_histogram(text: str, metric: str, by: str) -> dict[str, dict]:
    """Sums the histogram over all labels but `by`: its value -> {"buckets": {upper bound: count}, "sum", "count"}."""
    rows: dict[str, dict] = {}
    for line in text.splitlines():
        match = SAMPLE.match(line)
        if not match or not match["name"].startswith(metric + "_"):
            continue
        kind = match["name"][len(metric) + 1 :]
        labels = dict(LABEL.findall(match["labels"] or ""))
        row = rows.setdefault(labels.get(by, ""), {"buckets": {}, "sum": 0.0, "count": 0.0})
        value = float(match["value"])
        if kind == "bucket":
            bound = float(labels["le"])
            row["buckets"][bound] = row["buckets"].get(bound, 0.0) + value
        elif kind in ("sum", "count"):
            row[kind] += value
    return rows


def quantile(buckets: dict[float, float], q: float) -> float:
    """As histogram_quantile(): beyond the last finite bound it is that bound; NaN without observations."""
    bounds = sorted(buckets)
    total = buckets[bounds[-1]]
    if total == 0:
        return math.nan
    rank = q * total
    below, start = 0.0, 0.0
    for i, bound in enumerate(bounds):
        if buckets[bound] >= rank:
            if math.isinf(bound):
                return bounds[i - 1]
            return start + (bound - start) * (rank - below) / (buckets[bound] - below)
        below, start = buckets[bound], bound
    raise AssertionError("counts of a histogram grow with the bound")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("metric")
    parser.add_argument("label")
    args = parser.parse_args()

    # The metrics of a server of one's own are read without any proxy that the environment may name.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(args.url, timeout=10) as page:
        rows = read_histogram(page.read().decode(), args.metric, args.label)
    rows = {name: row for name, row in rows.items() if row["count"] > 0}
    if not rows:
        print(f"{args.url}: no observations of {args.metric}", file=sys.stderr)
        return 1
    print(f"{args.label:10} {'count':>7} {'mean':>10} {'p50':>10} {'p99':>10}")
    for name, row in rows.items():
        mean = row["sum"] / row["count"]
        cells = [mean, quantile(row["buckets"], 0.5), quantile(row["buckets"], 0.99)]
        print(f"{name:10} {row['count']:7.0f} " + " ".join(f"{cell * 1000:7.3f} ms" for cell in cells))
    return 0


if __name__ == "__main__":
    sys.exit(main())
