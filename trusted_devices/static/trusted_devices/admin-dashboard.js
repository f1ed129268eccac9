/* Draws the dashboard's charts from the JSON in the page. Without it the tables say the same. */
"use strict";
{
  const specifications = JSON.parse(document.getElementById("td-chart-data").textContent);
  let charts = [];

  const computed = (element, property) => getComputedStyle(element).getPropertyValue(property);

  const inLines = (label) => label.match(/\S.{0,17}(?=\s|$)|\S+/gu);

  const dataset = (series, index, section) => {
    const color = computed(section.querySelector(`.td-series-${index + 1}`), "background-color");
    const line = series.kind === "line";
    return {
      type: series.kind,
      label: series.name,
      data: series.values,
      borderColor: color,
      backgroundColor: color,
      borderWidth: line ? 2 : 0,
      pointRadius: 0,
      pointHitRadius: 12,
      // A stock is many times its daily changes: it has a scale of its own.
      yAxisID: line ? "stock" : undefined,
    };
  };

  const draw = (specification) => {
    const canvas = document.getElementById(`td-${specification.id}`);
    const section = canvas.closest(".td-chart");
    canvas.parentElement.hidden = false;
    const ink = computed(section, "color");
    const grid = computed(document.documentElement, "--hairline-color").trim();
    const several = specification.series.length > 1;
    const axis = { ticks: { color: ink, precision: 0, maxRotation: 0 }, grid: { color: grid }, beginAtZero: true };
    const scales = { x: axis, y: { ...axis } };
    if (specification.series.some((series) => series.kind === "line")) {
      scales.stock = { ...axis, position: "right", grid: { drawOnChartArea: false } };
    }
    return new Chart(canvas, {
      data: {
        labels: specification.layout === "y" ? specification.labels.map(inLines) : specification.labels,
        datasets: specification.series.map((series, index) => dataset(series, index, section)),
      },
      type: "bar",
      options: {
        animation: false,
        indexAxis: specification.layout,
        interaction: { mode: "index", axis: specification.layout, intersect: false },
        maintainAspectRatio: false,
        plugins: { legend: { display: several, labels: { color: ink, boxWidth: 12 } } },
        scales,
      },
    });
  };

  const redraw = () => {
    charts.forEach((chart) => chart.destroy());
    charts = specifications.map(draw);
  };

  redraw();
  new MutationObserver(redraw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}
