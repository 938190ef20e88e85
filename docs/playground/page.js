// The page of the two GANs: its controls, the worker behind it, and what is drawn when a picture arrives.
import { METHODS, MOST_POINTS, RECIPES, asLinked, byDefault, fromLink, toLink } from "./settings.js";
import { SPACE, drawable, spray } from "./pencil.js";
import { paintRun, sharedRanges } from "./paint.js";

const $ = (id) => document.getElementById(id);
const NAMES = ["Run A", "Run B"];
const SLOW = matchMedia("(prefers-reduced-motion: reduce)");

let settings = fromLink(location.hash), second = settings.runs[1] || byDefault(settings.target).runs[1];
let ready = false, running = false, more = true, told = -1, painted = -Infinity, waiting = null;
let runs = [], scenes = [], frames = [], histories = [], cursor = null;
let worker = null, id = 0;
window.playground = { get state() { return { ready, running, more, histories, frames, settings }; } }; // for tests

// ---- what is said ---------------------------------------------------------------------------------------------------

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

const percent = (share) => Math.round(100 * share) + " %";

function measured(i) {
  const rows = (histories[i] || []).filter((row) => "two_sample" in row), row = rows[rows.length - 1];
  if (frames[i] && frames[i].stopped) return `The run stopped: ${frames[i].stopped}.`;
  if (!row) return "";
  const found = row.modes === null ? [] : [`${row.modes} of ${row.modes_total} modes`];
  const few = row.two_sample_points < 500 ? ` (of only ${2 * row.two_sample_points} points)` : "";
  if (row.two_sample !== null) found.push(`1-NN ${percent(row.two_sample)}${few}`);
  if (row.high_quality !== null) found.push(`${percent(row.high_quality)} of the samples near a mode`);
  return `After ${row.step} updates: ` + (found.join(", ") || "too few points to measure") + ".";
}

const summary = () => settings.runs.map((_, i) => (measured(i) ? `${NAMES[i]}: ${measured(i)}` : "")).join(" ");

// ---- the controls ---------------------------------------------------------------------------------------------------

const SLIDERS = { // value of the slider -> number, and back
  K: [(v) => 2 ** v, Math.log2, (x) => x.toPrecision(3)],
  d_alpha: [(v) => Number((10 ** v).toPrecision(2)), Math.log10, (x) => x.toExponential(1)],
  g_alpha: [(v) => Number((10 ** v).toPrecision(2)), Math.log10, (x) => x.toExponential(1)],
  n_dis: [(v) => v, (x) => x, String],
};

function makeRun(i) {
  const section = $("template").content.firstElementChild.cloneNode(true), part = (name) => section.querySelector(name);
  const title = part("h2");
  title.textContent = NAMES[i];
  title.id = `run${i}`;
  section.setAttribute("aria-labelledby", title.id);
  const method = part("select");
  for (const [value, text] of Object.entries(METHODS)) method.add(new Option(text, value));
  method.addEventListener("change", () => { settings.runs[i].method = method.value; changed(); });
  for (const [name, [read]] of Object.entries(SLIDERS)) {
    const slider = part(`input[data-is=${name}]`);
    if (name.endsWith("alpha")) slider.step = 0.05;
    slider.addEventListener("input", () => { settings.runs[i][name] = read(Number(slider.value)); show(); tell(); });
  }
  const plane = part(".plane");
  drawable(plane, pencil);
  const charts = Object.fromEntries([...section.querySelectorAll(".chart")].map((c) => [c.dataset.chart, c]));
  return { section, part, method, plane, charts };
}

function layOut() {
  runs = settings.runs.map((_, i) => makeRun(i));
  $("runs").replaceChildren(...runs.map((run) => run.section));
}

// Shows the settings in the controls, and in the address.
function show() {
  $("target").value = settings.target;
  $("seed").value = settings.seed;
  $("steps").value = settings.steps;
  $("two").checked = settings.runs.length > 1;
  const drawing = settings.target === "drawn";
  $("clear").hidden = !drawing;
  settings.runs.forEach((choices, i) => {
    const { part, method, plane } = runs[i];
    method.value = choices.method;
    for (const [name, [, write, text]] of Object.entries(SLIDERS)) {
      const slider = part(`input[data-is=${name}]`), said = text(choices[name]);
      if (SLIDERS[name][0](Number(slider.value)) !== choices[name]) slider.value = write(choices[name]);
      slider.setAttribute("aria-valuetext", said);
      part(`[data-of=${name}]`).textContent = said;
    }
    const bounded = choices.method === "sn";
    part("input[data-is=K]").disabled = !bounded;
    if (!bounded) part("[data-of=K]").textContent = "none here";
    plane.classList.toggle("drawing", drawing);
    plane.tabIndex = drawing ? 0 : -1;
    plane.setAttribute("role", drawing ? "application" : "img");
  });
  history.replaceState(null, "", toLink(settings));
}

// Each fresh start has a number, so that a picture of the run before is not taken for one of the new run.
const order = (what) => worker && worker.postMessage({ do: what, id, settings: JSON.stringify(settings) });
const enough = () => settings.target !== "drawn" || new Set(settings.drawn.map(String)).size >= 2;

// A change that needs a fresh start.
function changed() {
  show();
  id += 1;
  histories = settings.runs.map(() => []);
  frames = [];
  scenes = settings.runs.map(() => SPACE);
  more = true;
  if (ready && enough()) order("start");
  running = false;
  buttons();
  paint();
  if (ready) say(enough() ? "Ready. Press Start." : "Draw some points first, in either picture.");
}

// A change that a run takes over as it goes on.
const tell = () => ready && enough() && order("change");

function buttons() {
  $("run").disabled = !ready || !enough();
  $("step").disabled = $("restart").disabled = !ready || !enough();
  $("run").textContent = running ? "Pause" : more ? (frames[0] && frames[0].step ? "Go on" : "Start") : "Start again";
}

$("run").addEventListener("click", () => {
  if (running) {
    running = false;
    order("pause");
    say("Paused. " + summary());
  } else {
    if (!more) histories = settings.runs.map(() => []);
    running = more = true;
    told = 0;
    order("run");
    say("Training …");
  }
  buttons();
});
$("step").addEventListener("click", () => {
  if (!more) histories = settings.runs.map(() => []);
  running = false;
  order("step");
  say("One step of each run.");
});
$("restart").addEventListener("click", changed);
$("clear").addEventListener("click", () => { settings.drawn = []; changed(); });
$("form").addEventListener("submit", (event) => event.preventDefault());
$("target").addEventListener("change", () => {
  const { K, d, g, steps } = RECIPES[$("target").value];
  settings.target = $("target").value;
  settings.steps = steps;
  settings.drawn = [];
  for (const run of settings.runs) Object.assign(run, { K, d_alpha: d, g_alpha: g, n_dis: 1 });
  changed();
});
for (const [name, least, most] of [["seed", 0, 999999], ["steps", 100, 20000]]) {
  $(name).addEventListener("change", () => {
    const value = Math.round(Number($(name).value));
    if ($(name).value !== "" && value >= least && value <= most) settings[name] = value;
    changed();
  });
}
$("two").addEventListener("change", () => {
  if (!$("two").checked) second = settings.runs[1];
  settings.runs = $("two").checked ? [settings.runs[0], second] : [settings.runs[0]];
  layOut();
  changed();
});
$("link").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(location.href);
    say("The link is copied.");
  } catch {
    say("The address of this page is the link: copy it from the browser's address bar.");
  }
});
addEventListener("hashchange", () => {
  if (location.hash === toLink(settings)) return;
  settings = fromLink(location.hash);
  layOut();
  changed();
});

// ---- points of one's own --------------------------------------------------------------------------------------------

const pencil = {
  able: () => settings.target === "drawn",
  put(place) {
    frames = [];
    const room = MOST_POINTS - settings.drawn.length;
    settings.drawn.push(...spray(place).map(asLinked).slice(0, room));
    if (settings.drawn.length >= MOST_POINTS) say(`There are ${MOST_POINTS} points, which is the most that a link holds.`);
    paint();
  },
  done(place) {
    changed();
    if (place) say(`${settings.drawn.length} points; the last ones near ${place[0]}, ${place[1]}.`);
  },
  moved(place) {
    cursor = place;
    paint();
  },
};

// ---- what is drawn --------------------------------------------------------------------------------------------------

function paint() {
  painted = performance.now();
  const shared = sharedRanges(histories, frames), drawing = pencil.able();
  runs.forEach((run, i) => {
    const hint = drawing && !settings.drawn.length ? "draw points here" : "";
    const look = { hint, cursor: drawing ? cursor : null, shared, name: NAMES[i], said: measured(i), last: settings.steps };
    look.empty = drawing && !frames[i]
      ? `A place to draw points, ${settings.drawn.length} so far. The arrows move, the space bar puts points.` : "";
    const scene = drawing ? { ...SPACE, real: settings.drawn.flat() } : scenes[i] || SPACE;
    paintRun(run, settings.runs[i], scene, frames[i], histories[i] || [], look);
  });
  const step = frames.length ? Math.max(...frames.map((frame) => frame.step)) : 0;
  $("progress").value = step / settings.steps;
  $("count").textContent = `${step} of ${settings.steps}`;
}

const doubles = (text) => new Float64Array(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);

function arrived(message) {
  if (message.id !== id) return;
  frames = JSON.parse(message.frame).map((frame) => ({ ...frame, x: doubles(frame.x), f: doubles(frame.f) }));
  frames.forEach((frame, i) => histories[i].push(...frame.rows));
  ({ more } = message);
  const ended = running && !more;
  if (ended) running = false;
  // With reduced motion a picture comes once a second, not eight times.
  const due = () => { waiting = null; paint(); buttons(); order("drawn"); };
  clearTimeout(waiting);
  if (SLOW.matches && running && performance.now() - painted < 1000) waiting = setTimeout(due, 1000);
  else due();
  const step = Math.max(...frames.map((frame) => frame.step));
  if (ended) say("Finished. " + summary());
  else if (running && Math.floor(step / 1000) > told) {
    told = Math.floor(step / 1000);
    say("Training. " + summary());
  }
}

// ---- the worker -----------------------------------------------------------------------------------------------------

const receive = {
  loading: ({ text }) => say(text),
  ready() {
    ready = true;
    changed();
  },
  scene({ scene, id: begun }) {
    if (begun !== id) return;
    scenes = JSON.parse(scene).map((one) => ({ ...one, real: doubles(one.real) }));
    histories = scenes.map(() => []);
  },
  frame: arrived,
  error({ text }) { running = false; more = true; buttons(); say(text[0].toUpperCase() + text.slice(1) + ".", true); },
  broken({ text }) { say(`Python could not be started here: ${text}.`, true); },
};

layOut();
show();
scenes = settings.runs.map(() => SPACE);
paint();
buttons();
new ResizeObserver(paint).observe($("runs"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
if (!window.cannotRun) {
  worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => receive[data.is](data);
  worker.onerror = (event) => say(`Python could not be started here: ${event.message || "a file is missing"}.`, true);
}
