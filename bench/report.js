// bench/report.js - draws the report's charts from the numbers that stand in the page.
// Everything it shows is also in the tables under the charts; without it the page loses no fact.
"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const pipelineColours = () => data.pipelines.map((_, i) => colour("--p" + i));
  const graphs = [];

  function number(value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    const size = Math.abs(value);
    if (size >= 1000) return Math.round(value).toLocaleString("en-US");
    return String(Number(value.toPrecision(3)));
  }

  // Places for words along the top of a chart: those that would touch stand one below the other.
  function places() {
    const rows = [];
    return function (from, to) {
      let row = 0;
      while ((rows[row] || []).some((taken) => from < taken[1] && to > taken[0])) row++;
      (rows[row] = rows[row] || []).push([from, to]);
      return 11 + 13 * row;
    };
  }

  // A stretch of time in a colour, cut to the chart; where it begins and ends, or null outside.
  function stretch(context, area, graph, from, until, colourOf, strength) {
    const x0 = graph.toDomXCoord(from);
    const x1 = Math.max(graph.toDomXCoord(until), x0 + 1.5);
    if (x1 < area.x || x0 > area.x + area.w) return null;
    const left = Math.max(x0, area.x), right = Math.min(x1, area.x + area.w);
    context.fillStyle = colourOf;
    context.globalAlpha = strength;
    context.fillRect(left, area.y, right - left, area.h);
    context.globalAlpha = 1;
    return [left, right];
  }

  function edge(context, area, x) {
    context.globalAlpha = 0.75;
    context.fillRect(x, area.y, 1, area.h);
    context.globalAlpha = 1;
  }

  // Words with a rim in the page's colour, so that lines behind them do not strike them through.
  function write(context, area, place, label) {
    const width = context.measureText(label.text).width;
    const x = Math.max(area.x + 2, Math.min(label.x + 4, area.x + area.w - width - 2));
    const y = area.y + place(x - 3, x + width + 5);
    context.lineWidth = 3;
    context.lineJoin = "round";
    context.strokeStyle = colour("--card");
    context.strokeText(label.text, x, y);
    context.fillStyle = label.ink;
    context.fillText(label.text, x, y);
  }

  // Faults: strong while they lasted, faint until all had caught up. Whom they struck is said where
  // there is room for it; the table says it always.
  function drawFaults(context, area, graph, labels) {
    const ink = colour("--fault");
    data.faults.forEach(function (f, i) {
      stretch(context, area, graph, f.until, f.back, ink, 0.1);
      const at = stretch(context, area, graph, f.t, f.until, ink, 0.26);
      if (!at) return;
      edge(context, area, at[0]);
      const short = "F" + (i + 1) + " " + f.what, long = short + " " + f.whom;
      const fits = context.measureText(long).width < area.w / 4;
      labels.push({ x: at[0], ink: ink, text: fits ? long : short });
    });
  }

  // Happenings: a band, or a line where it took no time, with its number as in the table.
  function drawHappenings(context, area, graph, labels) {
    data.happenings.forEach(function (h, i) {
      const ink = h.pipeline < 0 ? colour("--faint") : colour("--p" + h.pipeline);
      const at = stretch(context, area, graph, h.t, h.until, ink, 0.16);
      if (!at) return;
      edge(context, area, at[0]);
      labels.push({ x: at[0], ink: ink, text: String(i + 1) });
    });
  }

  function underlay(context, area, graph) {
    const labels = [], place = places();
    context.font = "600 11px system-ui, sans-serif";
    context.textAlign = "left";
    drawFaults(context, area, graph, labels);
    drawHappenings(context, area, graph, labels);
    labels.forEach((label) => write(context, area, place, label));
  }

  // One zoom for every chart over time.
  function follow(window, source) {
    graphs.forEach((g) => { if (g !== source) g.updateOptions({ dateWindow: window }); });
  }

  function readout(element, unit, label) {
    return function (event, x, points) {
      const parts = points.filter((p) => p.yval !== null && !Number.isNaN(p.yval))
        .map((p) => p.name + " " + number(p.yval) + " " + unit);
      element.textContent = label(x) + "   " + parts.join("   ");
    };
  }

  // Powers of ten that lie in the axis's range, and steps between them where there are few.
  function logTicks(low, high) {
    const ticks = [];
    const decades = Math.log10(high / low);
    const steps = decades > 3 ? [1] : decades > 0.9 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8];
    for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++)
      steps.forEach(function (s) {
        const v = s * Math.pow(10, e);
        if (v >= low && v <= high) ticks.push({ v: v, label: number(v) });
      });
    return ticks;
  }

  function common(chart, element) {
    return {
      labels: ["x"].concat(data.pipelines),
      colors: pipelineColours(),
      legend: "never",
      strokeWidth: 2,
      fillAlpha: 0.14,
      connectSeparatedPoints: true,
      gridLineColor: colour("--line"),
      axisLineColor: colour("--line"),
      highlightCircleSize: 3.5,
      ylabel: chart.unit,
      logscale: chart.log,
      includeZero: !chart.log,
      animatedZooms: false,
      unhighlightCallback: () => { element.textContent = ""; },
      axes: {
        y: Object.assign({ axisLabelWidth: 58, axisLabelFormatter: number },
          chart.log ? { ticker: logTicks } : {}),
        x: { axisLabelFormatter: number, drawGrid: false },
      },
    };
  }

  function drawOverTime(chart) {
    const element = document.getElementById("chart-" + chart.id);
    const text = document.getElementById("readout-" + chart.id);
    const options = common(chart, text);
    options.customBars = chart.band;
    options.stepPlot = chart.step;
    options.xlabel = "seconds since the run began";
    options.dateWindow = [0, data.t_max];
    options.underlayCallback = underlay;
    options.highlightCallback = readout(text, chart.unit, (x) => "at " + x.toFixed(1) + " s");
    options.zoomCallback = (from, to) => follow([from, to], graph);
    const graph = new Dygraph(element, chart.rows, options);
    graphs.push(graph);
    return graph;
  }

  // x is log10(1 / (1 - share)): each further nine takes the same room.
  function percentLabel(x) {
    const share = 100 * (1 - Math.pow(10, -x));
    return "p" + Number(share.toFixed(x < 2 ? 1 : x < 3 ? 2 : 3));
  }
  function percentTicks(low, high) {
    return [Math.log10(2), 1, 2, 3, 4, 5].filter((x) => x >= low && x <= high + 1e-9)
      .map((x) => ({ v: x, label: percentLabel(x) }));
  }
  function drawPercentiles(chart) {
    const element = document.getElementById("chart-" + chart.id + "-percentiles");
    const text = document.getElementById("readout-" + chart.id + "-percentiles");
    const options = common(chart, text);
    options.xlabel = "share of samples at or below";
    options.axes.x = { ticker: percentTicks, drawGrid: true };
    options.highlightCallback = readout(text, chart.unit, (x) => percentLabel(x));
    return new Dygraph(element, chart.percentiles, options);
  }

  const all = [];
  data.charts.forEach(function (chart) {
    all.push(drawOverTime(chart));
    if (chart.percentiles) all.push(drawPercentiles(chart));
  });
  const repaint = () => all.forEach((g) => g.updateOptions({
    colors: pipelineColours(), gridLineColor: colour("--line"), axisLineColor: colour("--line"),
  }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
})();
