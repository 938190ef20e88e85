// The settings, and the link that holds them.

// What the page says under “What to expect” is measured with these. Another target starts with its own numbers.
export const RECIPES = {
  ring: { K: 4, d: 0.004, g: 0.001, steps: 2000 },
  grid: { K: 3, d: 0.004, g: 0.001, steps: 2000 },
  moons: { K: 4, d: 0.004, g: 0.001, steps: 2000 },
  spiral: { K: 4, d: 0.004, g: 0.001, steps: 2000 },
  drawn: { K: 4, d: 0.004, g: 0.001, steps: 2000 },
};
export const METHODS = {
  sn: "spectral normalisation (SN)",
  none: "no normalisation",
  wn: "weight normalisation (WN)",
  clip: "weight clipping",
  "wgan-gp": "WGAN-GP",
};
export const MOST_POINTS = 400;

export function byDefault(target = "ring") {
  const { K, d, g, steps } = RECIPES[target];
  const run = (method) => ({ method, K, d_alpha: d, g_alpha: g, n_dis: 1 });
  return { target, drawn: [], seed: 0, steps, runs: [run("sn"), run("none")] };
}

// A coordinate in [-1.5, 1.5] as two characters of this alphabet.
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const DIGITS = 4095;
const letters = (c) => {
  const n = Math.round(((Math.min(1.5, Math.max(-1.5, c)) + 1.5) / 3) * DIGITS);
  return LETTERS[n >> 6] + LETTERS[n & 63];
};
const coordinate = (two) => ((LETTERS.indexOf(two[0]) * 64 + LETTERS.indexOf(two[1])) / DIGITS) * 3 - 1.5;
export const asLinked = ([x, y]) => [coordinate(letters(x)), coordinate(letters(y))];

export function toLink(settings) {
  const parts = new URLSearchParams({ target: settings.target, seed: settings.seed, steps: settings.steps });
  for (const r of settings.runs) parts.append("run", [r.method, r.K, r.d_alpha, r.g_alpha, r.n_dis].join(" "));
  if (settings.target === "drawn") parts.set("drawn", settings.drawn.map(([x, y]) => letters(x) + letters(y)).join(""));
  return "#" + parts;
}

const number = (text, least, most, otherwise, whole = false) => {
  const value = Number(text);
  if (text === undefined || text === null || text === "" || !(value >= least && value <= most)) return otherwise;
  return whole ? Math.round(value) : value;
};

export function fromLink(fragment) {
  const parts = new URLSearchParams(fragment.replace(/^#/, ""));
  const target = Object.hasOwn(RECIPES, parts.get("target")) ? parts.get("target") : "ring";
  const settings = byDefault(target);
  settings.seed = number(parts.get("seed"), 0, 999999, settings.seed, true);
  settings.steps = number(parts.get("steps"), 100, 20000, settings.steps, true);
  const runs = parts.getAll("run").slice(0, 2).map((text, i) => {
    const [method, K, d, g, n] = text.split(" "), base = settings.runs[i];
    return {
      method: Object.hasOwn(METHODS, method) ? method : base.method,
      K: number(K, 0.25, 16, base.K),
      d_alpha: number(d, 1e-5, 0.1, base.d_alpha),
      g_alpha: number(g, 1e-5, 0.1, base.g_alpha),
      n_dis: number(n, 1, 5, base.n_dis, true),
    };
  });
  if (runs.length) settings.runs = runs;
  const code = (parts.get("drawn") || "").replace(/[^A-Za-z0-9_-]/g, "").slice(0, 4 * MOST_POINTS);
  if (target === "drawn") {
    for (let i = 0; i + 4 <= code.length; i += 4) {
      settings.drawn.push([coordinate(code.slice(i, i + 2)), coordinate(code.slice(i + 2, i + 4))]);
    }
  }
  return settings;
}
