// The picture, the charts and the numbers of one run.
import { DASHES, colours, drawChart, drawPlane } from "./draw.js";

const digits = (value) => (Math.abs(value) >= 0.01 && Math.abs(value) < 1e4 ? value.toPrecision(4) : value.toExponential(2));
const list = (numbers) => numbers.map(digits).join(", ");

function rangeOf(numbers) {
  const positive = numbers.filter((v) => Number.isFinite(v) && v > 0);
  if (!positive.length) return [0.1, 10];
  const high = positive.reduce((a, b) => Math.max(a, b)), low = positive.reduce((a, b) => Math.min(a, b));
  return [Math.max(low, high / 1e4) / 1.3, high * 1.3];
}

// The axes that both runs share, so that they can be compared.
export function sharedRanges(histories, frames) {
  return {
    sigma: rangeOf(histories.flatMap((rows) => rows.flatMap((row) => row.sigma))),
    spectra: rangeOf(frames.flatMap((frame) => frame.spectra.flat())),
  };
}

function chartQuality(canvas, rows, last, c) {
  const seen = rows.filter((row) => "two_sample" in row);
  const line = (pick, colour, dash) => {
    const there = seen.filter((row) => pick(row) !== null);
    return { x: there.map((row) => row.step), y: there.map(pick), colour, dash };
  };
  const lines = [line((row) => (row.modes === null ? null : row.modes / row.modes_total), c.layers[2], []),
    line((row) => row.two_sample, c.layers[0], DASHES[1])];
  drawChart(canvas, lines, { range: [0, 1.05], last, percent: true, marks: [{ value: 0.5, text: "perfect 1-NN", below: true }] });
}

export function paintRun(run, { K, method }, scene, frame, rows, look) {
  const c = colours(), { last, said } = look, row = rows[rows.length - 1];
  const newest = row ? `after ${row.step} updates: ` : "no row yet";
  drawPlane(run.plane, scene, frame, look);
  run.plane.setAttribute("aria-label", look.empty || `${look.name}: samples of G over the data, with level lines of f. ${said}`);

  chartQuality(run.charts.quality, rows, last, c);
  run.charts.quality.setAttribute("aria-label", "Share of the modes found and 1-NN through training. " + said);

  const layers = (pick) => c.layers.map((colour, l) => (
    { x: rows.map((one) => one.step), y: rows.map((one) => pick(one)[l]), colour, dash: DASHES[l] }));
  const marks = method === "sn" ? [{ value: K, text: "K" }] : [];
  drawChart(run.charts.sigma, layers((one) => one.sigma), { range: look.shared.sigma, log: true, last, marks });
  run.charts.sigma.setAttribute("aria-label", `Largest singular value of each layer, ${newest}${row ? list(row.sigma) : ""}`);

  const lam = rows.flatMap((one) => one.lam), reach = [Math.min(0, ...lam), Math.max(0, ...lam)];
  drawChart(run.charts.lam, layers((one) => one.lam), { range: reach[0] < reach[1] ? reach : [0, 1], last });
  run.charts.lam.setAttribute("aria-label", `Lambda of each layer, ${newest}${row ? list(row.lam) : ""}`);

  const spectra = (frame ? frame.spectra : []).map((s, l) => (
    { x: s.map((_, t) => t + 1), y: s, colour: c.layers[l], dash: DASHES[l] }));
  drawChart(run.charts.spectra, spectra, { range: look.shared.spectra, log: true, first: 1, last: 32 });
  run.charts.spectra.setAttribute("aria-label", "Singular values of each layer at present.");

  run.part("[data-is=measures]").textContent = said || "\u00a0";
  run.part("tbody").replaceChildren(...(row ? row.sigma : []).map((sigma, l) => {
    const line = document.createElement("tr");
    line.innerHTML = `<th scope="row">${l + 1}</th><td>${digits(sigma)}</td><td>${digits(row.lam[l])}</td>`;
    return line;
  }));
}
