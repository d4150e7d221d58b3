"use strict";
// Unpack the chart library, draw the charts, and keep them in the colours of the page.

const figures = JSON.parse(document.getElementById("figures").textContent);
const scheme = window.matchMedia("(prefers-color-scheme: dark)");
const config = { displayModeBar: false, responsive: true };
const drawn = new Map(); // element id -> figure

async function unpack() {
  const packed = atob(document.getElementById("plotly").textContent.trim());
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function axis(of) {
  return {
    ...of,
    gridcolor: colour("--grid"),
    linecolor: colour("--grid"),
    zerolinecolor: colour("--grid"),
    tickfont: { color: colour("--text"), size: 12 },
    title: { ...(of.title || {}), font: { color: colour("--muted"), size: 12 } },
    fixedrange: true, // a finger on a chart scrolls the page
  };
}

function themed(figure) {
  const layout = figure.layout;
  return {
    ...layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "inherit", color: colour("--text"), size: 13 },
    hoverlabel: {
      ...layout.hoverlabel,
      bgcolor: colour("--card"),
      bordercolor: colour("--grid"),
      font: { color: colour("--text") },
    },
    xaxis: axis(layout.xaxis),
    yaxis: { ...axis(layout.yaxis), gridcolor: "type" in layout.yaxis ? colour("--grid") : "rgba(0,0,0,0)" },
  };
}

function traces(figure) {
  return figure.data.map((trace) => {
    const copy = { ...trace };
    for (const key of ["error_x", "error_y"]) {
      if (copy[key]) copy[key] = { ...copy[key], color: colour("--text") };
    }
    if (copy.type === "bar" && copy.marker.line) {
      copy.marker = { ...copy.marker, line: { ...copy.marker.line, color: colour("--page") } };
    }
    return copy;
  });
}

function draw(id, figure) {
  const element = document.getElementById(id);
  if (!element || !figure) return;
  drawn.set(id, figure);
  element.style.minHeight = `${figure.layout.height}px`;
  Plotly.react(element, traces(figure), themed(figure), config);
}

function choose(id, choices) {
  const select = document.getElementById(`${id}-job`);
  if (!select) return;
  const show = () => draw(id, choices[select.value]);
  select.addEventListener("change", show);
  show();
}

async function main() {
  await unpack();
  draw("makespans", figures.makespans);
  draw("growth", figures.growth);
  choose("timelines", figures.timelines);
  choose("parts", figures.parts);
  scheme.addEventListener("change", () => drawn.forEach((figure, id) => draw(id, figure)));
  document.documentElement.dataset.ready = "yes";
}

main().catch((error) => {
  document.querySelectorAll(".chart").forEach((chart) => {
    chart.textContent = `The chart could not be drawn (${error}); the tables hold the figures.`;
  });
});
