"""Results as a table on the screen and as a plot."""

import pathlib
import statistics

# Of a result: heading, digits.
COLUMNS = {
    "accept_rate": ("accepted/s", 0),
    "relay_rate": ("relayed/s", 0),
    "cpu_ms": ("CPU ms", 3),
    "syncs": ("syncs", 3),
    "flushes": ("flushes", 3),
    "syscalls": ("syscalls", 1),
    "switches": ("switches", 2),
    "written": ("written/B", 2),
    "memory_mb": ("MB", 0),
}
COLOURS = {"packetboat": "#1f6f8b", "postfix": "#c9a227"}


def median(results: list[dict], name: str) -> float | None:
    values = [r[name] for r in results if r.get(name) is not None]
    return statistics.median(values) if values else None


def chosen(results: list[dict], workload: str, system: str) -> list[dict]:
    return [r for r in results if r["workload"] == workload and r["system"] == system]


def line(result: dict) -> str:
    cells = [f"{result['workload']:<20} {result['system']:<10}"]
    for name, (heading, digits) in COLUMNS.items():
        value = result.get(name)
        cells.append(f"{'-' if value is None else format(value, f',.{digits}f'):>{len(heading) + 1}}")
    return " ".join(cells)


def heading() -> str:
    return " ".join([f"{'workload':<20} {'system':<10}", *(f"{text:>{len(text) + 1}}" for text, _ in COLUMNS.values())])


def ratios(results: list[dict], workload: str) -> str:
    """Ours by Postfix's, round by round: each ratio is of two runs next to each other."""
    pairs = list(zip(chosen(results, workload, "packetboat"), chosen(results, workload, "postfix")))
    texts = []
    for name, what in (("accept_rate", "accepted/s"), ("relay_rate", "relayed/s"), ("cpu_ms", "CPU")):
        values = [a[name] / b[name] for a, b in pairs if a.get(name) and b.get(name)]
        if values:
            texts.append(f"{what} x {statistics.median(values):.2f}")
    return f"{workload:<20} packetboat : postfix   " + ", ".join(texts) if texts else ""


def deferred_lines(result: dict) -> str:
    memory = f", qmgr {result['qmgr_empty_mb']:.0f} -> {result['qmgr_mb']:.0f} MB" if "qmgr_mb" in result else ""
    cpu = f" (qmgr's CPU {result['restart_cpu_s']:.2f} s)" if "restart_cpu_s" in result else ""
    return (f"{result['system']}: {result['deferred']:,} deferred: new mail {result['empty_rate']:,.0f} -> "
            f"{result['relay_rate']:,.0f}/s ({100 * result['relay_rate'] / result['empty_rate']:.0f} %), CPU "
            f"{result['empty_cpu_ms']:.3f} -> {result['cpu_ms']:.3f} ms{memory}, "
            f"{result['restart_s']:.2f} s from restart to first delivery{cpu}")


def plot(results: list[dict], path: pathlib.Path):
    """Two rows of bars for each workload: messages a second, and CPU for each."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(dict.fromkeys(r["workload"] for r in results if r["workload"] != "deferred"))
    systems = [s for s in COLOURS if any(r["system"] == s for r in results)]
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 0.55 * len(names) + 1.2), sharey=True)
    for axis, pick, title, form in (
            (axes[0], lambda r: median(r, "relay_rate") or median(r, "accept_rate"), "messages per second", "{:,.0f}"),
            (axes[1], lambda r: median(r, "cpu_ms"), "CPU ms per message, all processes", "{:.2f}")):
        for k, system in enumerate(systems):
            values = [pick(chosen(results, name, system)) or 0 for name in names]
            bars = axis.barh([i + 0.4 * k for i in range(len(names))], values, 0.38, label=system, color=COLOURS[system])
            axis.bar_label(bars, [form.format(v) for v in values], padding=3, fontsize=8)
        axis.set_title(title, fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
        axis.margins(x=0.15)
    axes[0].set_yticks([i + 0.2 for i in range(len(names))], names)
    axes[0].invert_yaxis()
    axes[1].legend(frameon=False, loc="upper right")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
